module canarylab

go 1.26

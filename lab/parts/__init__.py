"""The parts of the lab, one file each. A part is one process; a group of parts is what a test asks for."""

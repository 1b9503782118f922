"""The custom resources: pydantic models, what of them is served, and the CRDs made from them.

Belongs here: the shape and the meaning of what users write and read (`canary.delivery/v1alpha1`).
Does not: anything that looks at a cluster, at a clock or at a metric. Nothing here does I/O, but for
`python -m canary.api.crd`, which writes the generated files.
"""

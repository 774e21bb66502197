"""One thin Kubeflow component per stage: settings, `run`, metadata. No logic and no default lives here.

Kubeflow ships only the source of the function, so a body imports what it needs and uses nothing of its module.
The digests that a component takes are not read by the stage: they are part of Kubeflow's cache key, which sees
neither the content of an artifact nor the code of the library. Nor is the list `parts` of crop: it makes crop wait for
the loop over cut.
"""

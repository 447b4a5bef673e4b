"""What is set before anything else is loaded."""

import os

# Threads of torch that wait for each other sleep instead of spinning. Where others use the cores too, a step of a
# training takes 0.3 s in place of 1.1 s (two threads, two busy cores); on an idle machine 0.14 s in place of 0.13 s.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

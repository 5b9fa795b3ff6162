"""`python -m experiments` lists the recipes; `python -m experiments NAME` runs one."""

import sys

from jaxgen.workbench import choose

choose(sys.argv[1:])

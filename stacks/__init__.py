"""What AWS holds of the lakehouse: one file per stack, composed by `app.py`; the settings model and names beside.

Import this before `aws_cdk`: it tells jsii where the Node from PyPI is, so that none has to be installed.
"""

from stacks.settings import use_bundled_node

use_bundled_node()

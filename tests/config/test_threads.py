"""How torch's threads wait is settled before torch is loaded."""

import os
import subprocess
import sys


def policy(environment: dict[str, str]) -> str:
    program = "import sys, config.settings, os; assert 'torch' not in sys.modules; print(os.environ['OMP_WAIT_POLICY'])"
    rest = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    return subprocess.check_output([sys.executable, "-c", program], env=rest | environment, text=True).strip()


def test_threads_that_wait_sleep_unless_the_environment_says_otherwise() -> None:
    assert policy({}) == "PASSIVE"
    assert policy({"OMP_WAIT_POLICY": "ACTIVE"}) == "ACTIVE"

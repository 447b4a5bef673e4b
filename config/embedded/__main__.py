"""Look after the embedded servers by hand: `python -m config.embedded status|stop|run [COMMAND …]`."""

import argparse
import os
import signal
import subprocess
import sys
from pathlib import Path

from config.embedded.account import CannotStart
from config.embedded.services import ensure_services, is_running, stop_services, stop_unused

BASE = Path(__file__).resolve().parents[2] / ".local"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m config.embedded", description=__doc__)
    parser.add_argument("--base", type=Path, default=Path(os.environ.get("BECAUSE_LOCAL_DIR", BASE)))
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("status", help="say which servers answer; exit code 1 if one does not")
    stop = actions.add_parser("stop", help="stop the servers, whoever uses them")
    stop.add_argument("--unused", action="store_true", help="only if nobody does")
    run = actions.add_parser("run", help="keep the servers up until Ctrl-C, or while COMMAND runs")
    run.add_argument("command", nargs=argparse.REMAINDER)
    arguments = parser.parse_args()
    try:
        return _act(arguments)
    except CannotStart as error:
        print(error, file=sys.stderr)
        return 1


def _act(arguments: argparse.Namespace) -> int:
    base: Path = arguments.base
    if arguments.action == "status":
        answers = is_running(base)
        for name, answer in answers.items():
            print(f"{name}: {'running' if answer else 'stopped'}")
        return 0 if all(answers.values()) else 1
    if arguments.action == "stop":
        if arguments.unused:
            stop_unused(base)
        else:
            stop_services(base)
        return 0
    services = ensure_services(base)
    if arguments.command:
        urls = {"DATABASE_URL": services.database_url, "REDIS_URL": services.redis_url}
        return subprocess.run(arguments.command, env=os.environ | urls, check=False).returncode
    print(f"DATABASE_URL={services.database_url}\nREDIS_URL={services.redis_url}", flush=True)
    signal.sigwait({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    return 0


if __name__ == "__main__":
    sys.exit(main())

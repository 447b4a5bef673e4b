import io

from config.demo.console import Console


def test_a_step_is_told_at_its_beginning_and_its_end() -> None:
    output = io.StringIO()

    with Console(output).step("Import"):
        pass

    assert output.getvalue() == "→ Import\n✓ Import (0 s)\n"


def test_progress_is_told_now_and_then() -> None:
    output = io.StringIO()
    console = Console(output, every=3600)

    with console.step("Import"):
        for row in range(100):
            console.progress(f"{row} rows")

    assert "rows" not in output.getvalue()

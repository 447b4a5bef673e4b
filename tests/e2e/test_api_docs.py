from typing import Any

from playwright.sync_api import Page, expect

from tests.api_client import PartnerClient


def test_the_page_of_the_api_lists_and_tries_every_operation_under_its_policy(live_server: Any, page: Page) -> None:
    secret = PartnerClient().secret
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))

    page.goto(f"{live_server.url}/api/v1/docs/")
    expect(page.locator(".opblock")).to_have_count(14)
    page.get_by_role("button", name="Authorize").first.click()
    page.locator(".auth-container input").fill(secret)
    page.locator(".auth-container").get_by_role("button", name="Apply credentials").click()
    page.get_by_role("button", name="Close").click()
    page.locator("#operations-Products-list_categories .opblock-summary-control").click()
    page.get_by_role("button", name="Try it out").click()
    page.get_by_role("button", name="Execute").click()

    expect(page.locator(".live-responses-table .response-col_status").last).to_contain_text("200")
    expect(page.locator("header").first).to_contain_text("Because")
    assert complaints == []

"""What a shopper reads on the first page, to be compared."""

import re

from django.test import Client

TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="\w+"')  # another one on each page


def first_page(client: Client) -> str:
    return TOKEN.sub("", client.get("/").content.decode().split("<main")[1])

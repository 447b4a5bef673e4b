"""Why a row is not taken, and what would mend it. The texts are translated where they are shown."""

from django.utils.translation import gettext_noop as _

REMEDIES = {
    # the row could not be read
    "wrong_encoding": _("Save the file as UTF-8, or name its encoding with --encoding."),
    "nul_byte": _("Remove the NUL bytes; the program that wrote the file may have been interrupted."),
    "broken_quotes": _('Close the quotes, and write a quote inside a quoted value twice: "".'),
    "wrong_number_of_columns": _("Give as many values as there are headings; quote values that hold the separator."),
    "too_long": _("Shorten the value; the table of columns names the longest."),
    # a value is not what its column holds
    "missing": _("This column may not be empty."),
    "bad_time": _("Write times like 2011-09-30T17:04:00+01:00."),
    "no_zone": _("Add the zone to the time, like Z or +01:00, or name the file's zone with --time-zone."),
    "too_early": _("Times before 1970 are taken to be wrong. Check how the date was written."),
    "in_future": _("Times more than a day ahead are taken to be wrong. Check the date and the zone."),
    "bad_number": _("Write numbers like 1234.50: a point before the decimals and nothing between the thousands."),
    "bad_whole_number": _("Write whole numbers of at most nine digits."),
    "out_of_range": _("The number is too large."),
    "bad_currency": _("Write the three capital letters of the currency, like GBP."),
    "bad_yes_no": _("Write true or false."),
    "bad_category": _("Write the path in lower case: words joined by -, groups joined by /, like home/candle-holders."),
    "bad_json": _('Write a JSON object, like {"colour": "red"}.'),
    # a value does not fit what the catalogue knows
    "unknown_product": _("Import the product first, or correct its id."),
    "unknown_event_type": _("Use a known event type, or let staff add this one."),
    "new_product_without_title": _("Give a title; only products that are known already may do without."),
    "negative_price": _("A price is zero or more."),
    "price_without_currency": _("Give the currency of the price."),
    "repeated_product": _("A later row has the same id and was taken. Keep one row for each product."),
}

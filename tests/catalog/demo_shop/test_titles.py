"""Titles as the shop shows them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.demo_shop import titles


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("WHITE HANGING HEART T-LIGHT HOLDER", "White hanging heart t-light holder"),
        (" WHITE CHERRY LIGHTS", "White cherry lights"),
        ("RED  SPOTTY COFFEE  MUG", "Red spotty coffee mug"),
        ("S/4 CACTI CANDLES", "Set of 4 cacti candles"),
        ("WOOD S/3 CABINET ANT WHITE FINISH", "Wood set of 3 cabinet antique white finish"),
        ("SET/5 RED RETROSPOT LID GLASS BOWLS", "Set of 5 red retrospot lid glass bowls"),
        ("ROUND SNACK BOXES SET OF4 WOODLAND", "Round snack boxes set of 4 woodland"),
        ("SET3 BOOK BOX GREEN GINGHAM FLOWER", "Set of 3 book box green gingham flower"),
        ("BAKING SET 9 PIECE RETROSPOT", "Baking set 9 piece retrospot"),
        ("FOLK ART GREETING CARD,pack/12", "Folk art greeting card, pack of 12"),
        ("CANDLE RING W/CLEAR BEADS", "Candle ring with clear beads"),
        ("RETROSPOT TEA SET CERAMIC 11 PC", "Retrospot tea set ceramic 11 piece"),
        ("POLYESTER FILLER PAD 30CMx30CM", "Polyester filler pad 30 × 30 cm"),
        ("THE KING GIFT BAG 25x24x12cm", "The king gift bag 25 × 24 × 12 cm"),
        ("BAG 250g SWIRLY MARBLES", "Bag 250 g swirly marbles"),
        ("GARLAND, MAGIC GARDEN 1.8M", "Garland, magic garden 1.8 m"),
        ("SILICON CUBE 25W, BLUE", "Silicone cube 25 W, blue"),
        ('RECORD FRAME 7" SINGLE SIZE ', 'Record frame 7" single size'),
        ('FLOWER GLASS GARLAND NECKL.36"BLACK', 'Flower glass garland necklace 36" black'),
        ("PAPER CHAIN KIT 50'S CHRISTMAS ", "Paper chain kit 50s Christmas"),
        ("I'M ON HOLIDAY METAL SIGN", "I'm on holiday metal sign"),
        ("POPPY'S PLAYHOUSE LIVINGROOM ", "Poppy's playhouse living room"),
        ("TOAST ITS - I LOVE YOU ", "Toast its – I love you"),
        ("VINTAGE UNION JACK BUNTING", "Vintage Union Jack bunting"),
        ("DOORMAT NEW ENGLAND", "Doormat New England"),
        ("SET OF 10 LED DOLLY LIGHTS", "Set of 10 LED dolly lights"),
        ("TV DINNER TRAY DOLLY GIRL", "TV dinner tray dolly girl"),
        ("BLUE/CREAM STRIPE CUSHION COVER ", "Blue/cream stripe cushion cover"),
        ("ORANGE/WHT/FUSCHIA STONES NECKLACE", "Orange/white/fuchsia stones necklace"),
        ("ASSTD DESIGN 3D PAPER STICKERS", "Assorted design 3D paper stickers"),
        ("CHARLIE+LOLA RED HOT WATER BOTTLE ", "Charlie and Lola red hot water bottle"),
        ("SET 3 RETROSPOT TEA,COFFEE,SUGAR", "Set of 3 retrospot tea, coffee, sugar"),
        ("COLOUR GLASS. STAR T-LIGHT HOLDER", "Colour glass star t-light holder"),
        ('LETTER "W" BLING KEY RING', "Letter “W” bling key ring"),
        ('PINK/WHITE "KEEP CLEAN" BULLET BIN', "Pink/white “Keep clean” bullet bin"),
        ("SMALL FOLDING SCISSOR(POINTED EDGE)", "Small folding scissor (pointed edge)"),
        ("FRENCH BLUE METAL DOOR SIGN No", "French blue metal door sign No"),
        ("PAPER LANTERN 9 POINT HOLLY STAR S", "Paper lantern 9 point holly star S"),
        ("DOOR MAT KISS MY.......", "Door mat kiss my…"),
        ("SET 10 CARDS JINGLE BELLS 16957", "Set of 10 cards jingle bells"),
        ("*USB Office Mirror Ball", "USB office mirror ball"),
        ("60 TEATIME FAIRY CAKE CASES", "60 teatime fairy cake cases"),
    ],
)
def test_a_capital_title_is_shown_properly(raw: str, shown: str) -> None:
    assert titles.show(raw) == shown


@given(st.text(alphabet=st.characters(codec="latin-1"), max_size=60))
def test_any_text_is_shown_without_stray_spaces(raw: str) -> None:
    shown = titles.show(raw)

    assert shown == " ".join(shown.split(" "))
    assert "\0" not in shown
    assert shown == shown.strip()


@pytest.mark.parametrize(
    "note",
    [None, "", "nan", "?", "?????", "damaged", "Damages", "check", "MISSING", "FOUND", "lost in space", "Sold as C",
     "adjustment", "Adjustment by john on 26/01/2010 16", "22719", "wet/smashed/unsellable", "DOTCOM SETS", "FBA",
     "12'S SOLD AS 1?", "21733 mixed", "No Stock", "Donated to The Food Chain charity"],
)  # fmt: skip
def test_a_note_is_no_title(note: str | None) -> None:
    assert not titles.is_real(note)


@pytest.mark.parametrize(
    "title",
    [
        "JUMBO BAG RED RETROSPOT",
        "BAG 250g SWIRLY MARBLES",
        "3 TRADITIONAl BISCUIT CUTTERS  SET",
        "FLOWERS HANDBAG blue and orange",
        "Glow In The Dark Shot Glasses ",
        "Dr. Jam's Arouzer Stress Ball",
        "*USB Office Mirror Ball",
        "BROWN CHECK CAT DOORSTOP",
    ],
)
def test_a_title_is_no_note(title: str) -> None:
    assert titles.is_real(title)


def test_the_most_frequent_real_description_is_the_title() -> None:
    descriptions = {"damaged": 9, "RED SPOTTY PURSE": 5, "RED RETROSPOT PURSE ": 4, "RED  RETROSPOT PURSE": 2}

    assert titles.choose(descriptions) == "Red retrospot purse"


def test_among_equals_the_alphabet_decides() -> None:
    assert titles.choose({"DOORMAT HEARTS": 2, "DOOR MAT HEARTS": 2}) == "Door mat hearts"


def test_notes_alone_make_no_title() -> None:
    assert titles.choose({"nan": 3, "?": 1}) is None

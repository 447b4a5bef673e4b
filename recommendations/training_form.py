"""The form that asks for a training: every choice of the configuration, its default and what it does."""

import dataclasses
from typing import Any, cast

from django import forms
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from recommendations.ml.config import SIZES, ModelConfig, TrainingConfig, from_json
from recommendations.models import ModelVersion

OFFERED = 50  # the newest versions to begin with

LABELS = {
    "width": _("Width"),
    "blocks": _("Blocks"),
    "heads": _("Heads"),
    "history": _("History"),
    "dropout": _("Dropout"),
    "feed_forward": _("Inner width"),
    "uses_types": _("Event types"),
    "uses_times": _("Times"),
    "uses_attributes": _("Attributes"),
    "uses_texts": _("Texts"),
    "uses_popularity": _("Popularity"),
    "uses_repeats": _("Repeats"),
    "predicts_types": _("Predict every event"),
    "id_dropout": _("Hidden ids"),
    "epochs": _("Epochs"),
    "patience": _("Patience"),
    "validated_shoppers": _("Validated shoppers"),
    "batch_lines": _("Batch"),
    "accumulate": _("Batches in a step"),
    "precision": _("Precision"),
    "is_compiled": _("Compiled"),
    "learning_rate": _("Learning rate"),
    "weight_decay": _("Weight decay"),
    "clip": _("Clip"),
    "averaging": _("Averaging"),
    "negatives": _("Negatives"),
    "masking": _("Masked histories"),
    "completion": _("Baskets to complete"),
    "catching_up": _("Catching up"),
    "basket_power": _("Basket power"),
    "moment_days": _("Days ahead"),
    "half_life_days": _("Half-life"),
    "auxiliary": _("Beside"),
    "unwanted": _("Unwanted"),
    "ignored": _("Shown in vain"),
    "fresh_days": _("Fresh days"),
    "replay": _("Replay"),
    "seed": _("Seed"),
}
HELP = {
    "width": _("Numbers in the vector of a product. Wider learns more from much data and overfits little."),
    "blocks": _("Layers of attention; the last one reads the answer out. Two or more only pay with much data."),
    "heads": _("Ways of looking back side by side; must divide the width."),
    "history": _("How many of the latest lines of a history are seen."),
    "dropout": _("Share of numbers hidden while training: .1 to .2 for dense data, .3 to .5 for sparse."),
    "feed_forward": _("Inner width of a block, as a multiple of the width."),
    "uses_types": _("Tell a view from a purchase."),
    "uses_times": _("Use the gaps between interactions. Off where the data has an order but no times."),
    "uses_attributes": _("Groups, price bands and other attributes, so that new products have a place."),
    "uses_texts": _("What title and description say, where TEXT_ENCODER is set."),
    "uses_popularity": _("What sells now weighs in every score."),
    "uses_repeats": _("How often and how lately a product was met weighs in its own score."),
    "predicts_types": _("Predict views, baskets and ratings too, beside what is ranked for."),
    "id_dropout": _("Share of products whose id is hidden in a step, so that content learns to stand alone."),
    "epochs": _("Times through the data at most; the best epoch is kept."),
    "patience": _("Stop after so many epochs without a better validation NDCG@10."),
    "validated_shoppers": _("At most so many shoppers are asked after each epoch."),
    "batch_lines": _("Lines of history in a batch: bounds the memory whatever the data."),
    "accumulate": _("Summed before the weights move; several processes share them."),
    "precision": _("auto: bf16 where the processor has units for it. bf16 or fp32: always."),
    "is_compiled": _("torch.compile: a minute of warming up, then faster steps."),
    "learning_rate": _("Size of a step. Too high diverges, too low takes long."),
    "weight_decay": _("Pulls weights towards zero."),
    "clip": _("Longest gradient that is followed."),
    "averaging": _("What stays, a step, of the running mean of the weights that is served; 0 serves the last weights."),
    "negatives": _("Products to tell the right one from, shared by a batch; 0 is the whole catalogue."),
    "masking": _("Share of histories with parts hidden, so that reasons can be tested by leaving things out."),
    "completion": _(
        "Share of baskets of which a part is shown and the rest asked for: so what goes together is learnt."
    ),
    "catching_up": _(
        "Epochs that follow the best one, with the baskets that chose it: so the newest products and habits are known."
    ),
    "basket_power": _("A basket of n products weighs n to this power: 0 as one product, 1 as n."),
    "moment_days": _(
        "A basket weighs as long as it was the next one, up to so many days: so those who come often do not speak for "
        "the others. 0 weighs all the same."
    ),
    "half_life_days": _("Baskets so many days older weigh half; 0 weighs all the same."),
    "auxiliary": _("Weight of events that are predicted beside, times the strength of their type; 0: not at all."),
    "unwanted": _("How often a product that the shopper does not want counts among the wrong ones; 0: never."),
    "ignored": _("How often a product that the shopper was shown on three days in vain counts among them; 0: never."),
    "fresh_days": _("Above 0: train on the baskets of so many last days and a sample of older ones."),
    "replay": _("So many histories with older baskets only, for each with fresh ones."),
    "seed": _("Same seed, data and machine: same weights."),
}


def _field(field: "dataclasses.Field[Any]", *, is_optional: bool) -> forms.Field:
    label = LABELS.get(field.name, field.name.replace("_", " ").capitalize())
    shared: dict[str, Any] = {"label": label, "help_text": HELP.get(field.name, ""), "required": not is_optional}
    if field.type is bool:
        if is_optional:
            choices = [("", _("as the size says")), ("true", _("yes")), ("false", _("no"))]
            return forms.TypedChoiceField(
                **shared, choices=choices, coerce=lambda value: value == "true", empty_value=None
            )
        return forms.BooleanField(**(shared | {"required": False}), initial=field.default)
    kind = forms.IntegerField if field.type is int else forms.FloatField if field.type is float else forms.CharField
    widget = kind.widget(attrs={"placeholder": _("as the size says")} if is_optional else {})
    return kind(**shared, widget=widget, initial=None if is_optional else field.default)


class _Beginning(forms.ModelChoiceField):  # type: ignore[type-arg]  # not generic when it runs
    def label_from_instance(self, obj: ModelVersion) -> str:
        origin = " ".join(filter(None, (obj.origin.get("shop"), obj.origin.get("version"))))
        return " · ".join(filter(None, (str(obj), obj.get_state_display(), origin)))


class TrainingForm(forms.Form):
    """Empty model fields follow the size; the configuration itself says what is impossible."""

    size = forms.ChoiceField(
        label=_("Size"),
        choices=[(name, f"{name} · {model.width} × {model.blocks}") for name, model in SIZES.items()],
        initial="small",
        help_text=_("Width × blocks. Small trains in minutes on a CPU; large wants a GPU."),
    )
    publish_when_ready = forms.BooleanField(
        label=_("Publish when ready"),
        required=False,
        help_text=_("If the gate is passed: precompute, explain and make it live, without another question."),
    )

    started_from = _Beginning(
        label=_("Begin with"),
        queryset=ModelVersion.objects.none(),
        required=False,
        empty_label=_("nothing: from scratch"),
        help_text=_(
            "The weights of an earlier version; of another shop's, the projection of texts, the blocks and the vectors "
            "of attributes with the same name. Width, heads and blocks must be the same."
        ),
    )
    shares_product_ids = forms.BooleanField(
        label=_("Same product ids"),
        required=False,
        help_text=_(
            "Of another shop's version: equal product ids are the same product, so their vectors are taken too."
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        beginnings = ModelVersion.objects.beginnings()
        newest = list(beginnings.order_by("-pk").values_list("pk", flat=True)[:OFFERED])
        chosen = cast("_Beginning", self.fields["started_from"])
        asked = {self.initial.get("started_from"), self.data.get("started_from")} - {None, ""}
        asked_pks = [int(pk) for pk in map(str, asked) if pk.isdecimal()]
        is_offered = Q(pk__in=[*newest, *asked_pks]) | Q(state=ModelVersion.State.FOREIGN)
        chosen.queryset = beginnings.filter(is_offered).order_by("-pk")
        self.model_names = [field.name for field in dataclasses.fields(ModelConfig)]
        self.training_names = [field.name for field in dataclasses.fields(TrainingConfig)]
        for field in dataclasses.fields(ModelConfig):
            self.fields[field.name] = _field(field, is_optional=True)
        for field in dataclasses.fields(TrainingConfig):
            self.fields[field.name] = _field(field, is_optional=False)

    @staticmethod
    def initial_from(config: dict[str, Any]) -> dict[str, Any]:
        """To train again with the choices of an earlier version."""
        model = {
            name: ("true" if value else "false") if isinstance(value, bool) else value
            for name, value in config.get("model", {}).items()
        }
        return {"size": config.get("size", "small"), **model, **config.get("training", {})}

    def groups(self) -> list[tuple[Any, list[forms.BoundField]]]:
        """The fields as the page shows them."""
        return [
            (_("What happens"), [self["size"], self["publish_when_ready"]]),
            (_("What it begins with"), [self["started_from"], self["shares_product_ids"]]),
            (_("Training"), [self[name] for name in self.training_names]),
            (_("Model, where it differs from its size"), [self[name] for name in self.model_names]),
        ]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.errors:
            try:
                from_json(self.config())
            except (TypeError, ValueError) as error:
                raise forms.ValidationError(str(error)) from error
        return cleaned

    def config(self) -> dict[str, Any]:
        """As the model version stores it."""
        chosen = self.cleaned_data
        model = {name: chosen[name] for name in self.model_names if chosen.get(name) not in {None, ""}}
        return {
            "size": chosen["size"],
            "model": model,
            "training": {name: chosen[name] for name in self.training_names},
        }

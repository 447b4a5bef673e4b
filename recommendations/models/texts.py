"""What sentence encoders made of texts, once for each text."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class TextVector(models.Model):
    """The vector of one text by one encoder. Equal texts share it, and a text that changes is another text.

    Bytes of float16 and no column of pgvector: nobody searches them here, a plain PostgreSQL holds them, and they take
    half the room.
    """

    encoder = models.CharField(_("encoder"), max_length=100, help_text=_("With its version."))
    digest = models.BinaryField(_("digest of the text"))
    vector = models.BinaryField(_("vector"), help_text=_("Of length 1: float16, little-endian."))
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("text vector")
        verbose_name_plural = _("text vectors")
        constraints = [models.UniqueConstraint("encoder", "digest", name="one_vector_per_encoder_and_text")]

    def __str__(self) -> str:
        return f"{self.encoder} {bytes(self.digest).hex()[:12]}"

"""English and Spanish: catalogues, and the sentence for each error code.

Shells turn codes into words here, at display and nowhere earlier; what is stored, signed, logged
or printed as JSON is never translated. Imports nothing heavy: a command line starts with it.
"""

from convenio.words.language import LANGUAGES, Words, choose_language
from convenio.words.mark import N_

__all__ = ["LANGUAGES", "N_", "Words", "choose_language"]

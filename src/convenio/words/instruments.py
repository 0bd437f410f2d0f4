"""Sentences for what the linter finds in a definition, and for fields that do not fit.

{a} to {e} are the words that a finding is about, in its order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from convenio.words.errors import HAPPENED
from convenio.words.language import Words, visible
from convenio.words.mark import N_

LINT: Final = {
    "lint.act_unknown": N_("“{a}” is no act of this definition."),
    "lint.act_unused": N_("No move makes the act “{a}”."),
    "lint.basis": N_("“{a}” is not among the legal bases."),
    "lint.clock_act": N_("The clock “{a}” is to be met by “{b}”, which its debtor cannot do."),
    "lint.clock_calendar": N_("The clock “{a}” counts days, and no calendar is named."),
    "lint.clock_consequence": N_("The clock “{a}” does not say what may be done when it runs out."),
    "lint.clock_empty": N_("The clock “{a}” runs in no state, or nothing can meet it."),
    "lint.clock_escape": N_(
        "By “{c}” in “{b}” the debtor would end the clock “{a}” without meeting it."
    ),
    "lint.clock_length": N_("The clock “{a}” must have least, usual and most in rising order."),
    "lint.clock_roles": N_("The clock “{a}” must be owed by one of the two roles to the other."),
    "lint.clock_start": N_("The clock “{a}” must be started by its creditor alone; not so “{b}”."),
    "lint.clock_state": N_("The clock “{a}” is to run in “{b}”, which is no state."),
    "lint.clock_then": N_(
        "When the clock “{a}” has run out, “{b}” is to be possible, but no move makes it after it."
    ),
    "lint.codes_unknown": N_("The field “{a}” takes its codes from “{b}”, which is no code list."),
    "lint.codes_unused": N_("No field uses the code list “{a}”."),
    "lint.dead_end": N_("Nothing leads out of the state “{a}”, and it is not among the ends."),
    "lint.end_left": N_("“{a}” is among the ends, yet a move leads out of it."),
    "lint.engine": N_("It is written for engine {a}; this program has engine {b}."),
    "lint.field_codes": N_("The field “{a}” must name its code list."),
    "lint.field_least": N_("The number “{a}” must have a least value."),
    "lint.field_most": N_("The field “{a}” must say how much it holds at most."),
    "lint.field_range": N_("The least of the field “{a}” is above its most."),
    "lint.field_twice": N_("Two forms of the act “{a}” have the field “{b}”."),
    "lint.field_unasked": N_("The field “{a}” is of a type that has no “{b}”."),
    "lint.field_unit": N_("The number “{a}” must have a unit."),
    "lint.field_unknown": N_("The form “{a}” asks for “{b}”, which is no field."),
    "lint.field_unused": N_("No form has the field “{a}”."),
    "lint.form_unknown": N_("“{a}” is no form of this definition."),
    "lint.form_unused": N_("No act has the form “{a}”."),
    "lint.key_missing": N_("“{a}” is missing here."),
    "lint.key_unknown": N_("“{a}” has no place here."),
    "lint.label": N_("The TLP labels of “{a}” are not those of the English text."),
    "lint.language": N_("The file's name says the language “{a}”, its content another."),
    "lint.move_after": N_("{b} is to do “{c}” in “{a}” after “{d}”, which is no clock."),
    "lint.move_debtor": N_(
        "{b} is to do “{c}” in “{a}” after its own clock “{d}”: silence gives its author no right."
    ),
    "lint.move_never": N_(
        "{b} can never do “{c}” in “{a}”, for the clock “{d}” does not run there."
    ),
    "lint.move_role": N_("Nobody can do “{c}” in “{a}”: “{b}” is neither of the two roles."),
    "lint.move_stale": N_(
        "“{c}” of {b} in “{a}” waits for the clock “{d}”, but a case can come there without "
        "starting it, long after it has run out for another debt."
    ),
    "lint.move_to": N_("“{c}” of {b} in “{a}” leads back to the start."),
    "lint.move_twice": N_("The same role can do the same act in the same state twice."),
    "lint.name": N_("It is called “{a}” and should be “{b}”."),
    "lint.no_file": N_("The file “{a}” is missing."),
    "lint.no_way_out": N_("From the state “{a}” no end can be reached."),
    "lint.not_choice": N_("“{a}” is none of: {b}."),
    "lint.not_date": N_("“{a}” must be a date as 2021-10-08, or an instant where one is asked."),
    "lint.not_flag": N_("“{a}” must be yes or no."),
    "lint.not_list": N_("“{a}” must be a list."),
    "lint.not_mapping": N_("“{a}” must have keys and values."),
    "lint.not_number": N_("“{a}” must be a whole number from {b} to {c}."),
    "lint.not_rising": N_("“{a}” must rise, without the same twice."),
    "lint.not_text": N_("“{a}” must be a text of at most 2,000 characters."),
    "lint.not_word": N_("“{a}” must be a word of letters a to z, digits and _."),
    "lint.opening": N_(
        "“{c}” opens a case: only the first role can, and after no clock; not so {b}."
    ),
    "lint.race": N_(
        "In “{a}”, “{c}” of {b} and “{e}” of {d} do not commute, and “race” does not rank both."
    ),
    "lint.race_act": N_("“race” ranks “{a}”, which is no act of a move."),
    "lint.race_twice": N_("“race” ranks an act twice."),
    "lint.roles": N_("The roles must be different from one another."),
    "lint.state_start": N_("No state can be called “{a}”: it is what is before the opening."),
    "lint.state_unknown": N_("“{a}” is not among the states."),
    "lint.text_extra": N_("There are words for “{a}”, which the definition does not have."),
    "lint.text_missing": N_("There are no words for “{a}”."),
    "lint.twice": N_("“{a}” names something twice."),
    "lint.unreachable": N_("No moves lead to the state “{a}”."),
    "lint.when": N_("A condition must have either “is” or “is_not”."),
    "lint.when_code": N_("The condition of “{a}” names “{b}”, which is no code of that field."),
    "lint.when_field": N_(
        "The condition of “{a}” asks for “{b}”, which is not a field of every act with this form."
    ),
    "lint.when_kind": N_(
        "The condition of “{a}” asks for “{b}”, which is not one code and not yes or no."
    ),
}
FIELD: Final = {
    "field.boolean": N_("“{a}” must be yes or no."),
    "field.character": N_("“{a}” holds a character that cannot be seen."),
    "field.code": N_("“{a}” must be one of its codes."),
    "field.date": N_("“{a}” must be a date such as 2021-10-08."),
    "field.instant": N_("“{a}” must be an instant such as 2021-10-08T14:00:00Z."),
    "field.integer": N_("“{a}” must be a whole number."),
    "field.list": N_("“{a}” must be a list with at least one value."),
    "field.many": N_("“{a}” has more values than it may have."),
    "field.missing": N_("“{a}” is missing."),
    "field.range": N_("“{a}” is outside its bounds."),
    "field.record": N_("“{a}” must be the 64 digits that name a record."),
    "field.text": N_("“{a}” must be a text that is not empty."),
    "field.too_long": N_("“{a}” is too long."),
    "field.twice": N_("“{a}” has the same value twice."),
    "field.unknown": N_("“{a}” is no field of this act."),
}


def finding_of(code: str, about: Sequence[str], words: Words) -> str:
    """What was found, as a sentence; the code where there is none."""
    found = LINT.get(code) or FIELD.get(code) or HAPPENED.get(code, "")
    named = {key: visible(word) for key, word in zip("abcde", about, strict=False)}
    return words.text(found, **named, code=code) if found else code

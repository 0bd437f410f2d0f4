"""A small instrument as people write it, with all that a definition can have."""

from __future__ import annotations

DEFINITION = b"""\
instrument: small
version: 1
engine: 1
purpose: cooperation
legal_basis:
  law:
    article: article 1
    version: of 2021
    valid_on: 2021-10-08
    source: a law
roles: {opens: asker, answers: asked}
states: [open, late, done]
ends: [done]
codes:
  grade: [good, bad]
fields:
  grade: {type: code, codes: grade, sensitivity: ordinary}
  reason: {type: text, most: 100, sensitivity: ordinary}
  pieces: {type: integer, unit: boxes, least: 0, most: 9, sensitivity: ordinary}
forms:
  reply:
    grade: needed
    reason: {when: grade, is: [bad]}
    pieces: optional
acts:
  ask: {approvals: 0, caveat: TLP:GREEN}
  reply: {forms: [reply], approvals: 1, caveat: TLP:AMBER}
  complain: {approvals: 0, caveat: TLP:GREEN}
  drop: {approvals: 0, caveat: TLP:GREEN}
moves:
  - {in: start, role: asker, act: ask, to: open}
  - {in: open, role: asked, act: reply, to: done}
  - {in: open, role: asker, act: complain, to: late, after: answer}
  - {in: late, role: asked, act: reply, to: done}
  - {in: late, role: asker, act: drop, to: done}
race: [reply, complain, drop]
clocks:
  answer:
    starts: ask
    debtor: asked
    fulfilled: [reply]
    runs_in: [open, late]
    unit: hours
    least: 1
    usual: 8
    most: 24
    then: complain
retention: {months: 12, basis: law}
"""
TEXTS = b"""\
language: en
title: Small
summary: Small thing
purpose: Cooperation
retention: A year
legal_basis: {law: a law}
roles: {asker: asker, asked: asked}
states: {open: open, late: late, done: done}
acts: {ask: ask, reply: reply, complain: complain, drop: drop}
fields: {grade: grade, reason: reason, pieces: pieces}
units: {boxes: boxes}
codes:
  grade: {good: good, bad: bad}
clocks: {answer: answer}
consequences: {answer: It may be dropped. TLP:GREEN}
help: {grade: How good}
"""

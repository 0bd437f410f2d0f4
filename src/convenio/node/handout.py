"""The page that lies in every bundle, in both languages: what it is, and how to check it.

It is not signed and proves nothing; whoever altered a bundle could have altered this page too.
"""

from __future__ import annotations

from convenio.core.trust import Charter, fingerprint

_PAGE = """\
ENGLISH (español más abajo)

What this is
  Signed records of the channel "{en}", with proofs that another party's computer had stored them
  and when. Everything can be checked without asking any of the parties and without a network.

A bundle never vouches for itself
  Whoever made this bundle also put the keys into it (charter.note). They count only if they are the
  parties' own. Get the channel's fingerprint from a party by another way (by telephone, from a
  publication) and compare. This bundle claims the fingerprint
    {fingerprint}
  which is of no use to you if you take it from here.

How to check it with convenio
    convenio verify THIS-FILE.zip --trust "THE FINGERPRINT YOU WERE GIVEN"
  Instead of the fingerprint you can name a file with the charter that you trust. Take the program
  from its publisher, never from whoever gave you this bundle.

How to check it with other programs
  X.record         one record: a signed note (C2SP signed-note)
  X.Y.tlog-proof   the proof that it is in its party's log, and that party Y holds it
                   (C2SP tlog-proof)
  P.Y.policy       the keys for that, a C2SP tlog-policy. Compare them with keys you trust
  The leaf hash is SHA-256 of a zero byte followed by the bytes of X.record. Programs that know
  these formats: Go (golang.org/x/mod/sumdb), Python (tlog-scales).
  bodies/*.age     sealed contents; age 1.3 or newer opens them with the key of a named desk
  disclosed/*      a content in plain; with its salt anybody can hold it against "k" in the record:
                   k = HMAC-SHA256(salt, "convenio/body/1" + zero byte + content)

What it proves, and what not
  That the named party signed each record; that it stands in that party's log; that party Y's
  computer had stored it at the latest at the time Y signed. Not that what a record says is true,
  nor that Y agreed with it, nor that there are no other records.


ESPAÑOL

Qué es esto
  Registros firmados del canal «{es}», con pruebas de que la computadora de otra parte los había
  guardado y cuándo. Todo se puede comprobar sin preguntar a ninguna de las partes y sin red.

Un legajo nunca responde por sí mismo
  Quien hizo este legajo también puso las llaves (charter.note). Sólo valen si son las de las
  partes. Pida la huella del canal a una de las partes por otra vía (por teléfono, de una
  publicación) y compárela. Este legajo afirma la huella
    {fingerprint}
  que no le sirve de nada si la toma de aquí.

Cómo comprobarlo con convenio
    convenio verify ESTE-ARCHIVO.zip --trust "LA HUELLA QUE LE DIERON"
  En vez de la huella puede indicar un archivo con el acta en la que confía. Tome el programa de
  quien lo publica, nunca de quien le dio este legajo.

Cómo comprobarlo con otros programas
  X.record         un registro: una nota firmada (C2SP signed-note)
  X.Y.tlog-proof   la prueba de que está en la bitácora de su parte y de que la parte Y lo tiene
                   (C2SP tlog-proof)
  P.Y.policy       las llaves para ello, una política C2SP tlog-policy. Compárelas con otras en
                   las que confíe
  La huella de hoja es SHA-256 de un byte cero seguido de los bytes de X.record. Programas que
  conocen estos formatos: Go (golang.org/x/mod/sumdb), Python (tlog-scales).
  bodies/*.age     contenidos sellados; age 1.3 o posterior los abre con la llave de una mesa
  disclosed/*      un contenido en claro; con su sal cualquiera lo coteja con «k» del registro:
                   k = HMAC-SHA256(sal, "convenio/body/1" + byte cero + contenido)

Qué prueba y qué no
  Que la parte nombrada firmó cada registro; que está en la bitácora de esa parte; que la
  computadora de la parte Y lo tenía guardado a más tardar cuando Y firmó. No prueba que lo dicho
  sea verdad, ni que Y estuviera de acuerdo, ni que no haya otros registros.
"""


def readme(charter: Charter) -> bytes:
    """The page for a bundle of this channel, UTF-8."""
    digits = fingerprint(charter.ch)
    return _PAGE.format(en=charter.title.en, es=charter.title.es, fingerprint=digits).encode()

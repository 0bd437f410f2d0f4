"""What the demo's nodes say to each other.

The public part is real: facts of the U.S.-Mexico Bicentennial Framework and official yearly
figures, put into our own words in both languages, each with its source. The people, the notice and
the request are made up and say so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from convenio.core.card import Text

Json = dict[str, Any]
_WHITE_HOUSE: Final = "https://bidenwhitehouse.archives.gov/briefing-room/statements-releases"


@dataclass(frozen=True, slots=True)
class Source:
    """Where a fact is from. date: of publication, or of the data as they were taken."""

    title: Text
    url: str
    date: str

    def plain(self) -> Json:
        return {**_plain(self.title, "title"), "url": self.url, "date": self.date}


@dataclass(frozen=True, slots=True)
class Figures:
    """One official yearly series. values: year -> number. as_of: when it was so published."""

    indicator: str
    title: Text
    unit: Text
    period: Text
    values: dict[int, int]
    as_of: str
    source: Source


@dataclass(frozen=True, slots=True)
class Character:
    """A person of the demo. None of them exists. alias: the id without `demo.` before it."""

    alias: str
    name: str
    party: str
    roles: tuple[str, ...]

    @property
    def id(self) -> str:
        return f"demo.{self.alias}"


@dataclass(frozen=True, slots=True)
class Letter:
    """Something made up that one demo person says under seal. key: the same in every demo."""

    key: str
    party: str
    type: str
    text: Text


FACT_SHEET: Final = Source(
    Text(
        "Fact sheet on the U.S.-Mexico High-Level Security Dialogue",
        "Hoja informativa sobre el Diálogo de Alto Nivel de Seguridad México-Estados Unidos",
    ),
    f"{_WHITE_HOUSE}/2021/10/08/fact-sheet-u-s-mexico-high-level-security-dialogue/",
    "2021-10-08",
)
JOINT_STATEMENT: Final = Source(
    Text(
        "Joint statement of the 2022 U.S.-Mexico High-Level Security Dialogue",
        "Declaración conjunta del Diálogo de Alto Nivel de Seguridad México-Estados Unidos 2022",
    ),
    f"{_WHITE_HOUSE}/2022/10/14/joint-statement-2022-u-s-mexico-high-level-security-dialogue/",
    "2022-10-14",
)
HOMICIDES: Final = Source(
    Text(
        "SESNSP, open data on victims of crimes; national sum of the states",
        "SESNSP, datos abiertos de víctimas de delitos; suma nacional de los estados",
    ),
    "https://www.gob.mx/sesnsp/acciones-y-programas/datos-abiertos-de-incidencia-delictiva",
    "2025-07-20",
)
SEIZURES: Final = Source(
    Text(
        "U.S. Customs and Border Protection, drug seizure statistics; sum of all field offices and "
        "sectors",
        "Oficina de Aduanas y Protección Fronteriza de EE. UU., estadísticas de decomisos; suma de "
        "todas las oficinas y sectores",
    ),
    "https://www.cbp.gov/newsroom/stats/drug-seizure-statistics",
    "2023",
)

# Goals and areas: the short name each has in the fact sheet, and what it asks, in our words.
GOALS: Final[tuple[tuple[str, Text, Text], ...]] = (
    (
        "1",
        Text("Protect our people", "Proteger a nuestra población"),
        Text(
            "Healthy and safe communities on both sides that last.",
            "Comunidades sanas y seguras en ambos lados, que perduren.",
        ),
    ),
    (
        "1.1",
        Text("Public health", "Salud pública"),
        Text(
            "Fewer people harmed by drugs: prevention, treatment, recovery, other answers than "
            "jail.",
            "Menos daño por drogas: prevención, tratamiento, recuperación y respuestas distintas "
            "de la cárcel.",
        ),
    ),
    (
        "1.2",
        Text("Safe communities", "Comunidades seguras"),
        Text(
            "Education, work and attention to victims, so that criminal groups find fewer "
            "people to exploit.",
            "Educación, trabajo y atención a víctimas, para que los grupos criminales exploten a "
            "menos personas.",
        ),
    ),
    (
        "1.3",
        Text("Homicide and high-impact crime", "Homicidios y delitos de alto impacto"),
        Text(
            "Fewer homicides in Mexico through better investigation and justice, and better "
            "answers to gender-based violence.",
            "Menos homicidios en México con mejor investigación y justicia, y mejor respuesta a la "
            "violencia de género.",
        ),
    ),
    (
        "2",
        Text("Prevent transborder crime", "Prevenir la delincuencia transfronteriza"),
        Text(
            "Less capacity for criminal organizations to move drugs, arms, wildlife and people.",
            "Menos capacidad de las organizaciones criminales para mover drogas, armas, fauna y "
            "personas.",
        ),
    ),
    (
        "2.1",
        Text("Travel and commerce", "Viajes y comercio"),
        Text(
            "Joint oversight of ports of entry, containers, precursor chemicals and cash.",
            "Supervisión conjunta de puertos de entrada, contenedores, precursores químicos y "
            "efectivo.",
        ),
    ),
    (
        "2.2",
        Text("Arms trafficking", "Tráfico de armas"),
        Text(
            "More firearm traces, joint investigations and ballistics; seizures shared.",
            "Más rastreos de armas, investigaciones conjuntas y balística; decomisos compartidos.",
        ),
    ),
    (
        "2.3",
        Text("Illicit supply chains", "Cadenas de suministro ilícitas"),
        Text(
            "Against laboratories, precursors, drug sales and the corruption around them.",
            "Contra laboratorios, precursores, venta de drogas y la corrupción que los rodea.",
        ),
    ),
    (
        "2.4",
        Text("Smuggling and trafficking of people", "Tráfico y trata de personas"),
        Text(
            "Against the organizations that smuggle and traffic, with the rights of people at risk "
            "protected.",
            "Contra las organizaciones de tráfico y trata, con protección de los derechos de las "
            "personas en riesgo.",
        ),
    ),
    (
        "3",
        Text("Pursue criminal networks", "Perseguir a las redes criminales"),
        Text(
            "Take away the money and the means by which criminal organizations profit.",
            "Quitar el dinero y los medios con que se benefician las organizaciones criminales.",
        ),
    ),
    (
        "3.1",
        Text("Illicit financiers", "Financiadores ilícitos"),
        Text(
            "Information on money laundering shared; assets frozen and seized.",
            "Información sobre lavado de dinero compartida; bienes congelados y decomisados.",
        ),
    ),
    (
        "3.2",
        Text("Security and justice sectors", "Sectores de seguridad y justicia"),
        Text(
            "Police, investigators and prosecutors of both countries able to work together.",
            "Policías, investigadores y fiscales de ambos países capaces de trabajar juntos.",
        ),
    ),
    (
        "3.3",
        Text("Extraditions", "Extradiciones"),
        Text(
            "More cooperation on extradition, under the law of each country.",
            "Más cooperación en extradiciones, conforme a la ley de cada país.",
        ),
    ),
)

# The 13 actions of October 2022, in the order of the statement.
ACTIONS: Final[tuple[Text, ...]] = (
    Text(
        "Invest more in the institutions of health, security, human rights and justice.",
        "Invertir más en las instituciones de salud, seguridad, derechos humanos y justicia.",
    ),
    Text(
        "Base prevention, treatment and recovery programs on evidence.",
        "Basar en evidencia los programas de prevención, tratamiento y recuperación.",
    ),
    Text(
        "Bring crime prevention for young people at risk to more municipalities in Mexico.",
        "Llevar la prevención del delito para jóvenes en riesgo a más municipios de México.",
    ),
    Text(
        "Lower impunity for homicides and other grave crimes: data, analysis, task forces.",
        "Reducir la impunidad en homicidios y otros delitos graves: datos, análisis, grupos "
        "especiales.",
    ),
    Text(
        "Break up people-smuggling organizations by joint work and exchange of information.",
        "Desarticular organizaciones de tráfico de personas con trabajo conjunto e intercambio de "
        "información.",
    ),
    Text(
        "Adopt and carry out a plan against synthetic drugs, fentanyl and methamphetamine first.",
        "Adoptar y cumplir un plan contra las drogas sintéticas, primero fentanilo y "
        "metanfetamina.",
    ),
    Text(
        "Sign a memorandum on chemicals: exchange of information, regulation, imports.",
        "Firmar un memorando sobre sustancias químicas: intercambio de información, regulación, "
        "importaciones.",
    ),
    Text(
        "Carry out what the shared study on smuggling of people and goods recommends.",
        "Cumplir lo que recomienda el estudio común sobre tráfico de personas y mercancías.",
    ),
    Text(
        "Widen access to firearm tracing (eTrace) and share how firearms cases are prosecuted.",
        "Ampliar el acceso al rastreo de armas (eTrace) y compartir cómo se procesan los casos de "
        "armas.",
    ),
    Text(
        "Write a joint report on arms trafficking: routes, organizations, methods.",
        "Elaborar un informe conjunto sobre tráfico de armas: rutas, organizaciones, métodos.",
    ),
    Text(
        "Enforce the firearms-trafficking provisions of the U.S. law of 2022 on safer communities.",
        "Aplicar las disposiciones sobre tráfico de armas de la ley estadounidense de 2022 de "
        "comunidades más seguras.",
    ),
    Text(
        "Have more investigators to support prosecutions of the crimes named in the statement.",
        "Contar con más investigadores para apoyar el proceso de los delitos que nombra la "
        "declaración.",
    ),
    Text(
        "Plan the work on cyber and infrastructure security between CISA and the National Guard.",
        "Planear el trabajo en ciberseguridad e infraestructura entre CISA y la Guardia Nacional.",
    ),
)

HOMICIDE_VICTIMS: Final = Figures(
    indicator="mx.homicide.intentional.victims",
    title=Text("Victims of intentional homicide, Mexico", "Víctimas de homicidio doloso, México"),
    unit=Text("victims", "víctimas"),
    period=Text("calendar year", "año calendario"),
    values={
        2015: 17_884,
        2016: 22_541,
        2017: 28_868,
        2018: 33_742,
        2019: 34_723,
        2020: 34_569,
        2021: 33_359,
        2022: 30_979,
        2023: 29_721,
        2024: 30_046,
    },
    as_of="2025-07-20",
    source=HOMICIDES,
)
FENTANYL_SEIZED: Final = Figures(
    indicator="us.cbp.fentanyl.seized.lb",
    title=Text("Fentanyl seized by CBP", "Fentanilo decomisado por CBP"),
    unit=Text("pounds", "libras"),
    period=Text(
        "U.S. fiscal year, October to September", "año fiscal de EE. UU., octubre a septiembre"
    ),
    values={2020: 4_791, 2021: 11_201, 2022: 14_700, 2023: 27_023},
    as_of="2023",
    source=SEIZURES,
)

CHARACTERS: Final = (
    Character("ana", "Demo: Ana Ejemplo", "mx", ("officer",)),
    Character("luis", "Demo: Luis Muestra", "mx", ("releaser",)),
    Character("sam", "Demo: Sam Sample", "us", ("officer",)),
    Character("pat", "Demo: Pat Placeholder", "us", ("releaser",)),
)
OFFICERS: Final = {each.party: each.id for each in CHARACTERS if "officer" in each.roles}

_MADE_UP: Final = Text(
    "DEMO. Made up; no such person, post or shipment exists.",
    "DEMO. Inventado; no existe tal persona, puesto ni envío.",
)
NOTICE: Final = Letter(
    "notice",
    "mx",
    "notice.v1",
    Text(
        f"{_MADE_UP.en}\n\nNotice before the act: on Friday at 12:00 UTC our demo customs post "
        "will begin to open the containers of one carrier. No person is concerned. Questions "
        "until then to mx:liaison.\n\nDemo: Ana Ejemplo",
        f"{_MADE_UP.es}\n\nAviso previo: el viernes a las 12:00 UTC nuestro puesto aduanal de "
        "demostración comenzará a abrir los contenedores de un transportista. No concierne a "
        "ninguna persona. Preguntas hasta entonces a mx:liaison.\n\nDemo: Ana Ejemplo",
    ),
)
QUESTION: Final = Letter(
    "question",
    "us",
    "request.v1",
    Text(
        f"{_MADE_UP.en}\n\nWhich office answers for the containers once they are open? Please "
        "answer within three days.\n\nDemo: Sam Sample",
        f"{_MADE_UP.es}\n\n¿Qué oficina responde por los contenedores una vez abiertos? Favor de "
        "contestar en un plazo de tres días.\n\nDemo: Sam Sample",
    ),
)
ANSWER: Final = Letter(
    "answer",
    "mx",
    "request.v1",
    Text(
        f"{_MADE_UP.en}\n\nThe demo customs post itself, through mx:liaison, at any hour.\n\n"
        "Demo: Ana Ejemplo",
        f"{_MADE_UP.es}\n\nEl propio puesto aduanal de demostración, por medio de mx:liaison, a "
        "cualquier hora.\n\nDemo: Ana Ejemplo",
    ),
)
DUE_IN_S: Final = 3 * 86_400


def both(text: Text) -> bytes:
    """A content in both languages; neither is the original."""
    return f"{text.en}\n\n– – –\n\n{text.es}\n".encode()


def goals() -> list[Json]:
    """Goals and areas, one record each."""
    return [
        {
            "kind": "area" if "." in number else "goal",
            "number": number,
            **_plain(name, "name"),
            **_plain(aim, "aim"),
            "source": FACT_SHEET.plain(),
        }
        for number, name, aim in GOALS
    ]


def actions() -> list[Json]:
    """The actions, one record each."""
    return [
        {
            "kind": "action",
            "number": number,
            **_plain(text, "text"),
            "source": JOINT_STATEMENT.plain(),
        }
        for number, text in enumerate(ACTIONS, 1)
    ]


def figures(series: Figures) -> list[Json]:
    """One record a year, each with its unit, its date of publication and its source."""
    return [
        {
            "kind": "figure",
            "indicator": series.indicator,
            **_plain(series.title, "title"),
            **_plain(series.unit, "unit"),
            **_plain(series.period, "period"),
            "year": year,
            "value": value,
            "as_of": series.as_of,
            "source": series.source.plain(),
        }
        for year, value in series.values.items()
    ]


def _plain(text: Text, key: str) -> Json:
    return {key: {"en": text.en, "es": text.es}}

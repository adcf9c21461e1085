"""Things that scanners meet: real numbers of real products, each as a scanner reads it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Item:
    """Something with a barcode."""

    name: str
    data: str
    """What the scanner reads."""
    symbology_identifier: str = "]E0"
    """Which symbol it was (ISO/IEC 15424); `]E0` is EAN-13, UPC-A and UPC-E, `]E4` is EAN-8."""
    format: str = ""
    """What the scanner says that it has read; UPC-E and EAN-8 look alike without it."""


PRODUCTS = (
    Item("Nutella 400 g", "3017620422003"),
    Item("Stabilo point 88", "4006381333931"),
    Item("Heinz Beanz 415 g", "5000157024671"),
    Item("Marmite", "50184385", "]E4"),
    Item("Coca-Cola 330 ml", "5449000000996"),
    Item("Fazer Blue 200 g", "6411401015090"),
    Item("Nongfu Spring 550 ml", "6921168509256"),
    Item("Bamba 80 g", "7290000066318"),
    Item("Wasa Fibres 230 g", "7300400481588"),
    Item("Coca-Cola 600 ml", "7501055300075"),
    Item("Toblerone 100 g", "7614500010013"),
    Item("Soda Limonada 350 ml", "7891991000833"),
    Item("Nutella Biscuits", "8000500310427"),
    Item("Barilla Spaghetti n.5", "8076800195057"),
    Item("Kikkoman soy sauce", "8715035110106"),
    Item("Shin Ramyun", "8801043014809"),
    Item("Red Bull 250 ml", "9002490100070"),
    Item("Red Bull, on the can", "90162602", "]E4"),
    Item("Tabasco 59 ml", "011210000018"),
    Item("Kleenex tissues", "036000291452"),
    Item("AirPods Pro", "190199246850"),
    Item("Coca-Cola 12 fl oz", "04963406", format="upc_e"),
    Item("The C Programming Language", "9780131103627"),
    Item("Harry Potter 1", "9780747532743"),
)

MISREAD = Item("Stabilo point 88, misread", "4006381333932")
"""The scanner took a 1 for a 2, so that the check digit no longer fits: it did see something, so it counts."""
UNREADABLE = Item("an empty label", "")
"""A scan without data is refused for good."""

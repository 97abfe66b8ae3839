"""Where viewers are: cities with coordinates, a region, and a weight for how many watch there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class City:
    """One location. Degrees north and east."""

    name: str
    region: str
    latitude: float
    longitude: float
    weight: int


CITIES: Final = (
    City("Amsterdam", "Europe West", 52.37, 4.90, 3),
    City("Brussels", "Europe West", 50.85, 4.35, 3),
    City("London", "Europe West", 51.51, -0.13, 6),
    City("Paris", "Europe West", 48.86, 2.35, 6),
    City("Berlin", "Europe Central", 52.52, 13.40, 4),
    City("Munich", "Europe Central", 48.14, 11.58, 3),
    City("Vienna", "Europe Central", 48.21, 16.37, 3),
    City("Warsaw", "Europe Central", 52.23, 21.01, 3),
    City("Copenhagen", "Europe North", 55.68, 12.57, 2),
    City("Oslo", "Europe North", 59.91, 10.75, 2),
    City("Stockholm", "Europe North", 59.33, 18.07, 2),
    City("Athens", "Europe South", 37.98, 23.73, 3),
    City("Lisbon", "Europe South", 38.72, -9.14, 3),
    City("Madrid", "Europe South", 40.42, -3.70, 5),
    City("Milan", "Europe South", 45.46, 9.19, 4),
    City("Istanbul", "Levant", 41.01, 28.98, 5),
    City("Tel Aviv", "Levant", 32.09, 34.78, 2),
    City("Cairo", "Levant", 30.04, 31.24, 4),
    City("Boston", "America East", 42.36, -71.06, 3),
    City("New York", "America East", 40.71, -74.01, 6),
    City("Toronto", "America East", 43.65, -79.38, 4),
    City("Bogotá", "America South", 4.71, -74.07, 3),
    City("Buenos Aires", "America South", -34.60, -58.38, 5),
    City("São Paulo", "America South", -23.55, -46.63, 6),
)

"""Where a region lies: its seat of government, for distances and for maps. Degrees, rounded."""

from __future__ import annotations

from kinward_web.casework.plan import Position

__all__ = ["POSITIONS", "position_of"]

_ROWS = """
Anhui 31.8 117.2|Beijing 39.9 116.4|Chongqing 29.6 106.6|Fujian 26.1 119.3|Gansu 36.1 103.8
Guangdong 23.1 113.3|Guangxi 22.8 108.3|Guizhou 26.6 106.7|Hainan 20.0 110.3|Hebei 38.0 114.5
Heilongjiang 45.8 126.6|Henan 34.8 113.7|Hubei 30.6 114.3|Hunan 28.2 113.0
Inner Mongolia 40.8 111.7|Jiangsu 32.1 118.8|Jiangxi 28.7 115.9|Jilin 43.9 125.3
Liaoning 41.8 123.4|Ningxia 38.5 106.3|Qinghai 36.6 101.8|Shaanxi 34.3 108.9|Shandong 36.7 117.0
Shanghai 31.2 121.5|Shanxi 37.9 112.5|Sichuan 30.6 104.1|Tianjin 39.1 117.2|Tibet 29.7 91.1
Xinjiang 43.8 87.6|Yunnan 25.0 102.7|Zhejiang 30.3 120.2
Hanoi 21.0 105.8|Hai Phong 20.9 106.7|Lao Cai 22.5 104.0|Lang Son 21.9 106.8|Ha Giang 22.8 105.0
Cao Bang 22.7 106.3|Quang Ninh 21.0 107.1|Nghe An 18.7 105.7|Da Nang 16.1 108.2
Ho Chi Minh City 10.8 106.7
"""

POSITIONS: dict[str, Position] = {
    name.strip(): Position(float(latitude), float(longitude))
    for row in _ROWS.replace("\n", "|").split("|")
    if row
    for name, latitude, longitude in (row.rsplit(" ", 2),)
}
"""Regions by their English name."""
_FOLDED = {name.casefold(): position for name, position in POSITIONS.items()}


def position_of(*regions: str) -> Position | None:
    """Return where the first region lies whose place is known; None if none is."""
    for region in regions:
        found = _FOLDED.get(region.strip().casefold())
        if found is not None:
            return found
    return None

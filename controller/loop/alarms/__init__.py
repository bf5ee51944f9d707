"""Alarm handling after ISA-18.2: when a matter is announced, answered, put away and over, and how busy it all is.

Pure: what is known comes in as a Sight, and the book of alarms goes in and comes out.
"""

from controller.loop.alarms.book import judged, watch
from controller.loop.alarms.built_in import BUILT_IN
from controller.loop.alarms.definition import AlarmRules, Definition, Kind, Sight
from controller.loop.alarms.figures import figures

__all__ = ["BUILT_IN", "AlarmRules", "Definition", "Kind", "Sight", "figures", "judged", "watch"]

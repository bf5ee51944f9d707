"""The gateway: REST and server-sent events between the loop and its people."""

from controller.edge.gateway.app import application, hang_up

__all__ = ["application", "hang_up"]

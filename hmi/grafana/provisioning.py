"""Provisioning of Grafana and InfluxDB with the dashboards: compose.yaml and a token of their own."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hmi.grafana.dashboards import dashboards

PROVIDER = """\
apiVersion: 1
providers:
  - name: NeuroTwin
    folder: NeuroTwin
    type: file
    disableDeletion: true
    allowUiUpdates: false
    options:
      path: /var/lib/grafana/dashboards
"""

# InfluxQL at InfluxDB 2: the bucket is the database, and the token goes into a header.
SOURCE = """\
apiVersion: 1
datasources:
  - name: NeuroTwin
    uid: neurotwin
    type: influxdb
    access: proxy
    url: {url}
    isDefault: true
    jsonData:
      version: InfluxQL
      dbName: {bucket}
      httpMode: GET
      httpHeaderName1: Authorization
    secureJsonData:
      httpHeaderValue1: Token $NEUROTWIN_TOKEN
"""

COMPOSE = """\
# InfluxDB and Grafana with NeuroTwin's dashboards: docker compose up -d, then open http://127.0.0.1:3000
# The token and the passwords are in .env; nobody else should read it.
services:
  influxdb:
    image: influxdb:2.7
    restart: unless-stopped
    ports: ["127.0.0.1:8086:8086"]
    environment:
      DOCKER_INFLUXDB_INIT_MODE: setup
      DOCKER_INFLUXDB_INIT_USERNAME: neurotwin
      DOCKER_INFLUXDB_INIT_PASSWORD: ${{NEUROTWIN_PASSWORD}}
      DOCKER_INFLUXDB_INIT_ORG: {org}
      DOCKER_INFLUXDB_INIT_BUCKET: {bucket}
      DOCKER_INFLUXDB_INIT_ADMIN_TOKEN: ${{NEUROTWIN_TOKEN}}
    volumes: ["influxdb:/var/lib/influxdb2"]
  grafana:
    image: grafana/grafana:11.6.0
    restart: unless-stopped
    depends_on: [influxdb]
    ports: ["127.0.0.1:3000:3000"]
    environment:
      GF_SECURITY_ADMIN_PASSWORD: ${{NEUROTWIN_PASSWORD}}
      GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH: /var/lib/grafana/dashboards/overview.json
      NEUROTWIN_TOKEN: ${{NEUROTWIN_TOKEN}}
    volumes:
      - ./provisioning:/etc/grafana/provisioning:ro
      - ./dashboards:/var/lib/grafana/dashboards:ro
      - grafana:/var/lib/grafana
volumes:
  influxdb:
  grafana:
"""


def write(content: Mapping[str, Any], folder: Path, org: str = "plant", bucket: str = "bio") -> list[Path]:
    """Write everything; a token and passwords that are there already are kept. Returns what was written."""
    texts = {f"dashboards/{name}.json": _json(made) for name, made in dashboards(content).items()}
    texts["provisioning/dashboards/neurotwin.yaml"] = PROVIDER
    texts["provisioning/datasources/neurotwin.yaml"] = SOURCE.format(url="http://influxdb:8086", bucket=bucket)
    texts["compose.yaml"] = COMPOSE.format(org=org, bucket=bucket)
    written = []
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return written + _secrets(folder)


def _secrets(folder: Path) -> list[Path]:
    """A token for the outbox, and the same with a password for compose; readable by their owner alone."""
    token, environment = folder / "token", folder / ".env"
    if token.exists() or environment.exists():
        return []
    value, password = secrets.token_urlsafe(32), secrets.token_urlsafe(16)
    for path, text in (
        (token, f"{value}\n"),
        (environment, f"NEUROTWIN_TOKEN={value}\nNEUROTWIN_PASSWORD={password}\n"),
    ):
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")
    return [token, environment]


def _json(made: Mapping[str, Any]) -> str:
    return json.dumps(made, indent=2, ensure_ascii=False, sort_keys=True) + "\n"

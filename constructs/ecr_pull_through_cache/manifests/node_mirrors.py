"""A script that keeps containerd's mirrors signed in to Amazon ECR, with its service and its timer."""

from __future__ import annotations

from string import Template

SCRIPT_PATH = "/usr/local/sbin/ecr-mirrors"
"""Where the script belongs on a node."""

_SCRIPT = Template(r"""#!/bin/sh
# Gives containerd ECR's token for its mirrors: writes hosts.toml of each upstream. Mode 0755; ecr-mirrors.timer runs it.
# It needs ecr-credential-provider (kubernetes/cloud-provider-aws), sed, base64, tr, mktemp and find.
set -eu
umask 077
REGISTRY='$registry'
MIRRORS='$mirrors'
PROVIDER=$${PROVIDER:-/usr/local/bin/ecr-credential-provider}
CERTS=$${CERTS:-$certs}
MARK='# Written by ecr-mirrors; changes are lost.'

ours() { [ ! -e "$$1" ] || [ "$$(sed -n 1p "$$1")" = "$$MARK" ]; }

# ECR's token lives for twelve hours. With an older one containerd would send a Pod's own pull secret to ECR.
remove_stale() {
  for mirror in $$MIRRORS; do
    file=$$CERTS/$${mirror%%=*}/hosts.toml
    if [ -e "$$file" ] && ours "$$file" && [ -n "$$(find "$$file" -mmin +660)" ]; then
      rm -f "$$file"
      echo "ecr-mirrors: removed $$file, whose token is too old; its images come from upstream" >&2
    fi
  done
}

request='{"apiVersion":"credentialprovider.kubelet.k8s.io/v1","kind":"CredentialProviderRequest","image":"'$$REGISTRY/x'"}'
answer=$$(printf '%s' "$$request" | "$$PROVIDER") || answer=
password=$$(printf '%s' "$$answer" | tr -d '\n' | sed -n 's/.*"password" *: *"\([A-Za-z0-9+/=_.-]*\)".*/\1/p')
if [ -z "$$password" ]; then
  echo "ecr-mirrors: $$PROVIDER gave no token for $$REGISTRY" >&2
  remove_stale
  exit 1
fi
token=$$(printf 'AWS:%s' "$$password" | base64 | tr -d '\n')

failed=0
for mirror in $$MIRRORS; do
  host=$${mirror%%=*}
  prefix=$${mirror#*=}
  file=$$CERTS/$$host/hosts.toml
  if ! ours "$$file"; then
    echo "ecr-mirrors: left $$file alone, which it has not written; remove it to mirror $$host" >&2
    failed=1
    continue
  fi
  server=https://$$host
  if [ "$$host" = docker.io ]; then server=https://registry-1.docker.io; fi
  cache=https://$$REGISTRY/v2$${prefix:+/$$prefix}
  mkdir -p "$$CERTS/$$host"
  new=$$(mktemp "$$CERTS/$$host/.hosts.XXXXXX")
  cat > "$$new" <<TOML
$$MARK
server = "$$server"

[host."$$cache"]
  capabilities = ["pull", "resolve"]
  override_path = true
  [host."$$cache".header]
    authorization = "Basic $$token"
TOML
  mv -f "$$new" "$$file"
done
exit "$$failed"
""")

_SERVICE = f"""# Enable the timer: systemctl daemon-reload && systemctl enable --now ecr-mirrors.service ecr-mirrors.timer
# A failure shows in `systemctl --failed` and in the journal of this unit: raise an alarm on it.
[Unit]
Description=Renew ECR's token for the mirrors of containerd
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
ExecStart={SCRIPT_PATH}
Restart=on-failure
RestartSec=60

[Install]
WantedBy=multi-user.target
"""

_TIMER = """# ECR's token lives for twelve hours; two runs may fail before it ends.
[Unit]
Description=Renew ECR's token for the mirrors of containerd

[Timer]
OnBootSec=1min
OnUnitInactiveSec=4h
RandomizedDelaySec=10min

[Install]
WantedBy=timers.target
"""


def mirror_files(registry: str, mirrors: dict[str, str], *, certs: str) -> dict[str, str]:
    """The script, its service and its timer, by the path where each belongs.

    Only ECR receives the token: containerd sends the header of a host's table to that host alone
    (https://github.com/containerd/containerd/blob/main/docs/hosts.md). An image that ECR does not serve comes from upstream.

    :param registry: the host of the cache.
    :param mirrors: the prefix in the cache of each upstream host, without ``/`` at its end; empty for none.
    :param certs: the folder of containerd's ``config_path``.
    """
    pairs = " ".join(f"{host}={prefix}" for host, prefix in sorted(mirrors.items()))
    return {
        SCRIPT_PATH: _SCRIPT.substitute(registry=registry, mirrors=pairs, certs=certs),
        "/etc/systemd/system/ecr-mirrors.service": _SERVICE,
        "/etc/systemd/system/ecr-mirrors.timer": _TIMER,
    }

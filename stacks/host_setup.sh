# Installs one service of ours on a fresh Ubuntu host, waits until it can do its work, and tells CloudFormation.
# Run by cloud-init as root, behind the lines of user_data.py that set NEXUS_... and write /etc/nexus. Needs nothing
# that Ubuntu's image does not have: no package, no pip, no AWS CLI, no way to the internet.
set -Eeuo pipefail

root=${NEXUS_ROOT:-} # a folder, where this is tried out
unit=nexus-$NEXUS_SERVICE
metadata=http://169.254.169.254/latest

of_instance() { # path; what the instance's own metadata service says
    local token
    token=$(curl -fsS -m 5 --retry 5 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 300' "$metadata/api/token")
    curl -fsS -m 5 --retry 5 -H "X-aws-ec2-metadata-token: $token" "$metadata/meta-data/$1"
}

signed() { # service, arguments of curl; signs with the instance's role, whose keys are never on a command line
    local service=$1 role keys
    shift
    role=$(of_instance iam/security-credentials/)
    keys=$(of_instance "iam/security-credentials/$role" | python3 -c '
import json, sys
found = json.load(sys.stdin)
print("user = \"{AccessKeyId}:{SecretAccessKey}\"\nheader = \"x-amz-security-token: {Token}\"".format(**found))')
    # a role that was just made is refused for some seconds: every error is tried again
    curl -fsS --retry "${NEXUS_RETRIES:-6}" --retry-all-errors --connect-timeout 5 --aws-sigv4 "aws:amz:$NEXUS_REGION:$service" -K - "$@" \
        <<<"$keys"
}

tell() { # SUCCESS or FAILURE; of no use, and refused, when nobody deploys: an auto scaling group needs no signal
    signed cloudformation -m 20 -o /dev/null "https://cloudformation.$NEXUS_REGION.amazonaws.com/" \
        --data-urlencode Action=SignalResource --data-urlencode Version=2010-05-15 \
        --data-urlencode "StackName=$NEXUS_STACK" --data-urlencode "LogicalResourceId=$NEXUS_GROUP" \
        --data-urlencode "UniqueId=$(of_instance instance-id)" --data-urlencode "Status=$1" || true
}

end() { # in every case, with the exit code
    local code=$?
    trap - EXIT
    if [ "$code" = 0 ]; then
        echo "$unit is ready"
        tell SUCCESS
    else
        echo "$unit could not be installed (line $NEXUS_LINE, exit code $code)" >&2
        tail -n 50 "$root/var/log/nexus/service.log" >&2 || true
        tell FAILURE
        # the group replaces a host that is gone; until then its logs can be read
        shutdown -P +15 || true
    fi
    exit "$code"
}
NEXUS_LINE='?'
trap 'NEXUS_LINE=$LINENO' ERR
trap end EXIT

python3 -c 'import sys; sys.exit(sys.version_info[:2] != (3, 12))' ||
    { echo "the artifact is for Python 3.12, and this is $(python3 --version)" >&2; exit 1; }

archive=$(mktemp)
signed s3 -m 600 -o "$archive" "https://$NEXUS_BUCKET.s3.$NEXUS_REGION.amazonaws.com/$NEXUS_KEY"
echo "$NEXUS_SHA256  $archive" | sha256sum --check --quiet -
home=/opt/nexus/$NEXUS_SHA256
mkdir -p "$root$home" "$root/var/log/nexus"
tar -xzf "$archive" -C "$root$home" --no-same-owner
rm "$archive"

cat >"$root/etc/systemd/system/$unit.service" <<END
[Unit]
Description=Keystone Nexus: $NEXUS_SERVICE
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0

[Service]
ExecStart=/usr/bin/python3 -m $NEXUS_MODULE
Environment=PYTHONPATH=$home/app:$home/site PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
EnvironmentFile=/etc/nexus/service.env
Restart=always
RestartSec=5
RestartPreventExitStatus=$NEXUS_STAYS_DOWN
TimeoutStopSec=$NEXUS_STOP_SECONDS
LimitNOFILE=65536
# a user of its own that owns nothing: the system is read-only to it, and homes are hidden
DynamicUser=yes
ProtectHome=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes
PrivateDevices=yes
CapabilityBoundingSet=
StandardOutput=append:/var/log/nexus/service.log
StandardError=append:/var/log/nexus/service.log

[Install]
WantedBy=multi-user.target
END

cat >"$root/etc/logrotate.d/nexus" <<END
/var/log/nexus/*.log {
    daily
    maxsize 100M
    rotate 4
    copytruncate
    missingok
}
END

systemctl daemon-reload
systemctl enable --now "$unit"

deadline=$((SECONDS + NEXUS_READY_WITHIN))
until curl -fsS -m 10 -o /dev/null "http://127.0.0.1:$NEXUS_HEALTH_PORT/readyz"; do
    [ "$SECONDS" -lt "$deadline" ] || { echo "not ready within $NEXUS_READY_WITHIN s" >&2; exit 1; }
    sleep "${NEXUS_ASK_EVERY:-3}"
done
# a balancer takes a while to send anybody here, and the next host is replaced as soon as this one says it is ready
sleep "$NEXUS_SETTLE"

#!/bin/bash
# Packs a directory as the only layer of an image that `ctr images import` reads:  image.sh NAME:TAG DIR ARCHIVE ENTRYPOINT
set -eu
name=$1 tree=$2 archive=$3 entry=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tar -C "$tree" --owner=0 --group=0 -cf "$work/layer.tar" .
digest=$(sha256sum "$work/layer.tar" | cut -d' ' -f1)
cat >"$work/config.json" <<JSON
{"architecture": "amd64", "os": "linux", "config": {"Entrypoint": ["$entry"], "Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]},
 "rootfs": {"type": "layers", "diff_ids": ["sha256:$digest"]}}
JSON
echo "[{\"Config\": \"config.json\", \"RepoTags\": [\"$name\"], \"Layers\": [\"layer.tar\"]}]" >"$work/manifest.json"
tar -C "$work" -cf "$archive" manifest.json config.json layer.tar

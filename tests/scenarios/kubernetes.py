"""OpenBao's CA certificates in every namespace of a Kubernetes cluster, from a host's timer.

The host logs in to the cluster with a kubeconfig that is a secret in OpenBao; the account in it
is the one of kubernetes/base. A namespace that is new has the certificates a moment later.
"""

# needs: kubectl etcd kube-apiserver

SERVER = "https://localhost:6443"


def kubeconfig(token, authority):
    """As text: JSON is YAML, too."""
    cluster = {"server": SERVER, "certificate-authority-data": encoded(authority)}
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "kube",
            "clusters": [{"name": "kube", "cluster": cluster}],
            "users": [{"name": "kube", "user": {"token": token}}],
            "contexts": [{"name": "kube", "context": {"cluster": "kube", "user": "kube"}}],
        }
    )


def encoded(text):
    """As base64."""
    return base64.b64encode(text.encode()).decode()


def admin(command):
    """Runs `kubectl` as who may do everything; gives what it prints."""
    return kube.succeed(f"KUBECONFIG=/root/admin HOME=/root kubectl {command}")


def holds(namespace, text, timeout=30):
    """Waits until a namespace has that text."""
    shown = "--ignore-not-found --output='jsonpath={.data.ca\\.crt}'"
    command = f"get configmap vault-tls --namespace={namespace} {shown}"
    until = time.monotonic() + timeout
    while True:
        _, found = kube.execute(f"KUBECONFIG=/root/admin HOME=/root kubectl {command}")
        if found == text:
            return
        if time.monotonic() > until:
            unit = said(kube, "vault-ca-kubernetes.service")
            raise TimeoutError(f"`{namespace}` has `{found}`, not `{text}`\n{unit}")
        time.sleep(0.2)


prepare_openbao()
kube.start()
kube.wait_for_unit("multi-user.target", timeout=120)
trust(kube)
# As at a boot: the CA certificates begin with that one.
kube.succeed("systemd-tmpfiles --create --prefix=/var/lib/vault")
enrol(kube, kubernetes={"kubeconfig": "not yet"})
authority = kube.succeed("cat /var/lib/kubernetes/server.pem")
kube.succeed(f"umask 077; echo {shlex.quote(kubeconfig('administrator', authority))} > /root/admin")
kube.wait_until_succeeds("KUBECONFIG=/root/admin HOME=/root kubectl get --raw /readyz", timeout=120)
kube.copy_from_host(f"{source_directory}/kubernetes/base", "/root/base")
for part in ["namespace", "ca-bundle", "ca-bundle-policy"]:
    admin(f"apply --server-side -f /root/base/{part}.yaml")

with subtest("without a way into the cluster it says so, and is tried again"):
    comes_to_say(kube, "--unit=vault-ca-kubernetes.service", "kubectl get namespaces` failed")

with subtest("every namespace has the certificates, and a new one has them soon"):
    token = admin("create token ca-bundle -n openbao").strip()
    put("hosts/kube/kubernetes", kubeconfig=kubeconfig(token, authority))
    bundle = kube.succeed("cat /var/lib/vault/ca/ca.pem")
    for namespace in ["default", "kube-system", "openbao"]:
        holds(namespace, bundle)
    admin("create namespace web")
    began = time.monotonic()
    holds("web", bundle)
    print(
        f"measured: a new namespace has the CA certificates after {time.monotonic() - began:.1f} s"
    )

with subtest("what the host follows is followed there"):
    kube.succeed(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 9"
        " -subj /CN=next -keyout /dev/null -out /root/next.pem",
        "cat /root/next.pem >> /var/lib/vault/ca/ca.pem",
    )
    holds("web", kube.succeed("cat /var/lib/vault/ca/ca.pem"))

with subtest("the token is nowhere but where it belongs"):
    never_says(kube, token)
    kube.fail(f"grep --recursive --quiet --fixed-strings {token} /var/cache /var/log")

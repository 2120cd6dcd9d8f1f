{
  vault = {
    enable = true;
    address = "https://openbao.example.internal:8200";
    tls.caCertificate = ./openbao-ca.pem;
    # This is the default while sops-nix has /run/secrets. With this line, the path does not change
    # when the last secret of sops-nix is removed.
    secretsDirectory = "/run/vault-secrets";
  };
}

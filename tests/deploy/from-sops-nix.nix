{
  vault = {
    enable = true;
    address = "https://openbao.example.internal:8200";
    tls.caCertificate = ./openbao-ca.pem;
    # This is the default while sops-nix has /run/secrets. Set, it stays so when the last secret of
    # sops-nix goes.
    secretsDirectory = "/run/vault-secrets";
  };
}

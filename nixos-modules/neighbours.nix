# Other modules for secrets: the symbolic links that they replace as a whole, with all that somebody
# else would write through them.
{
  config,
  lib,
  options,
}:
lib.optionals (options ? sops && config.sops.secrets or { } != { }) (
  map
    (path: {
      inherit path;
      by = "sops-nix";
    })
    [
      "/run/secrets"
      "/run/secrets-for-users"
    ]
)
++ lib.optional (options ? age && config.age.secrets or { } != { }) {
  path = toString (config.age.secretsDir or "/run/agenix");
  by = "agenix";
}

# Assertions and warnings on a configuration of snapshots, with the names that the user wrote.
{ config, lib, ... }:
let
  cfg = config.vault.snapshots;
  inherit (import ../checks/tools.nix { inherit config lib; }) refuse;
  inherit (cfg) drill;
  places = cfg.directories != [ ] || cfg.s3 != { };
  lacksApprole = role: role.roleIdFile == null || role.secretIdFile == null;
in
{
  config = {
    assertions =
      lib.optionals (cfg.enable || drill.enable) (
        refuse (!places)
          "vault.snapshots has no place for snapshots: set vault.snapshots.directories or vault.snapshots.s3."
        ++ lib.concatLists (
          lib.mapAttrsToList (
            name: bucket:
            refuse (bucket.credentialsFile == null) "vault.snapshots.s3.${name}.credentialsFile is not set."
          ) cfg.s3
        )
      )
      ++ lib.optionals cfg.enable (
        refuse (
          cfg.address == [ ]
        ) "vault.snapshots.address is not set, and this host is not a node of a cluster."
        ++
          refuse (cfg.auth.method == "approle" && lacksApprole cfg.auth)
            "vault.snapshots.auth.method is `approle`, which needs vault.snapshots.auth.roleIdFile and secretIdFile."
        ++ refuse (
          cfg.auth.method != "approle" && cfg.auth.jwtFile == null
        ) "vault.snapshots.auth.method is `${cfg.auth.method}`, which needs vault.snapshots.auth.jwtFile."
        ++
          refuse (cfg.signing.publicKeyFiles != [ ] && cfg.signing.keyFile == null)
            "vault.snapshots.signing.publicKeyFiles asks for signatures, and vault.snapshots.signing.keyFile, which would make them, is not set."
      )
      ++ lib.optionals drill.enable (
        refuse ((drill.keyFiles == [ ]) == (drill.sealConfigFile == null))
          "vault.snapshots.drill needs keyFiles or sealConfigFile, one of them, to unseal the restored snapshot."
        ++
          refuse (cfg.canary != null && lacksApprole drill.approle)
            "vault.snapshots.drill reads the canary, which needs vault.snapshots.drill.approle.roleIdFile and secretIdFile."
        ++
          refuse (cfg.ageRecipients != [ ] && drill.ageIdentityFiles == [ ])
            "vault.snapshots.ageRecipients encrypts snapshots, and vault.snapshots.drill.ageIdentityFiles has no identity for them."
      );

    warnings =
      lib.optional (
        cfg.enable && lib.all (count: count == 0) (lib.attrValues cfg.keep)
      ) "vault.snapshots.keep keeps nothing in particular: no snapshot is ever removed."
      ++
        lib.optional (cfg.signing.keyFile != null && cfg.signing.publicKeyFiles == [ ])
          "vault.snapshots.signing.keyFile signs snapshots, and without vault.snapshots.signing.publicKeyFiles nothing verifies it."
      ++ lib.optional (
        drill.enable && cfg.canary == null
      ) "vault.snapshots.canary is null: drills unseal the restored snapshot, and read nothing.";
  };
}

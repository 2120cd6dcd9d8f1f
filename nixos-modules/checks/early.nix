# Warnings of files that NixOS reads before the network is up, and so before secrets are on the
# host.
{ config, lib, ... }:
let
  inherit (lib)
    attrNames
    concatLists
    concatMap
    filter
    findFirst
    hasPrefix
    mapAttrsToList
    optional
    ;
  cfg = config.vault;
  inherit (import ./tools.nix { inherit config lib; }) option;

  isBelow = folder: path: hasPrefix "${folder}/" path;
  isOf = secret: path: isBelow secret.outputDir path || secret.links ? ${path};
  ownerOf = path: findFirst (name: isOf cfg.secrets.${name} path) null (attrNames cfg.secrets);
  isSecret = path: ownerOf path != null || isBelow cfg.secretsDirectory path;

  # A warning where the option `name` has a secret's file as its value.
  warn =
    name: value: text:
    let
      path = builtins.unsafeDiscardStringContext (toString value);
      owner = ownerOf path;
      whose = if owner == null then "in vault.secretsDirectory" else "a file of ${option owner}";
    in
    optional (value != null && isSecret path) "${name} is `${path}`, ${whose}: ${text}";

  perAttr = values: check: concatLists (mapAttrsToList check values);

  users = perAttr config.users.users (
    name: user:
    warn "users.users.${name}.hashedPasswordFile" user.hashedPasswordFile
      "a boot sets passwords before the network is up, which secrets need, and does not find it. Set hashedPassword, or name a file that is on the disk when the host boots."
  );

  initrd = perAttr config.boot.initrd.secrets (
    name: source:
    warn "boot.initrd.secrets.\"${name}\"" (if source == null then name else source)
      "it is copied to the boot partition when the boot loader is installed, at first before the secret is on the host, and later versions do not get there. Name a file that is kept on the disk."
  );

  disks = perAttr config.boot.initrd.luks.devices (
    name: device:
    warn "boot.initrd.luks.devices.${name}.keyFile" device.keyFile
      "the disk is opened before the network is up, which secrets need. Name a file that is there by then."
  );

  # `credentials=` of CIFS and the like. A mount that waits for the secret is in order.
  mounts = perAttr config.fileSystems (
    name: fileSystem:
    let
      waitsFor = owner: lib.elem "x-systemd.requires=vault-secret-${owner}.service" fileSystem.options;
      valueOf = text: lib.last (lib.splitString "=" text);
      early = filter (
        text:
        let
          owner = ownerOf (valueOf text);
        in
        owner == null || !waitsFor owner
      ) fileSystem.options;
    in
    concatMap (
      text:
      let
        path = valueOf text;
        owner = ownerOf path;
        unit = "vault-secret-${if owner == null then "<name>" else owner}.service";
      in
      warn "fileSystems.\"${name}\".options" path
        "nothing makes the mount wait for it. Add `x-systemd.requires=${unit}`, and `_netdev`."
    ) early
  );

  # As a link, which is what /etc has without a mode, it leads to the secret once that is there.
  copies = perAttr config.environment.etc (
    name: file:
    lib.optionals (file.enable && !lib.hasSuffix "symlink" file.mode) (
      warn "environment.etc.\"${name}\".source" file.source
        "with a mode it is copied when the host boots, before the secret is there. Leave the mode out: the file in /etc is then a link to it."
    )
  );

  wireguard = perAttr config.networking.wireguard.interfaces (
    name: interface:
    let
      check =
        file: value:
        warn "networking.wireguard.interfaces.${name}.${file}" value
          "the interface comes up before the network is up, which secrets need. Use networking.wg-quick, and name its service `wg-quick-${name}` in the secret's services.";
    in
    check "privateKeyFile" interface.privateKeyFile
    ++ concatMap (peer: check "peers.*.presharedKeyFile" peer.presharedKeyFile) interface.peers
  );
in
{
  config.warnings = lib.optionals cfg.enable (
    users ++ initrd ++ disks ++ mounts ++ copies ++ wireguard
  );
}

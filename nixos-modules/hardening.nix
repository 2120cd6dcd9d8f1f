# The sandbox of this project's units. What a unit writes to is its own to add (ReadWritePaths).
{
  # Whether the unit may use the machine's TPM2 chip, for systemd-creds.
  tpm2 ? false,
  # How much memory the unit may take, so that a program gone wrong ends before the machine suffers.
  # This suffices for the largest answers of OpenBao that are read (64 MiB), and for the files made of one.
  memory ? "1G",
  # Which numbers of users and groups the unit knows: `identity` those up to 65535.
  users ? "identity",
}:
{
  # What root without further rights cannot do, and these programs must: give files to their owners,
  # and replace folders that belong to them.
  CapabilityBoundingSet = [
    "CAP_CHOWN"
    "CAP_DAC_OVERRIDE"
    "CAP_FOWNER"
  ];
  BindPaths = if tpm2 then [ "-/dev/tpmrm0" ] else [ ];
  DeviceAllow = if tpm2 then [ "/dev/tpmrm0 rw" ] else [ ];
  DevicePolicy = "closed";
  KeyringMode = "private";
  LimitCORE = 0;
  LockPersonality = true;
  MemoryDenyWriteExecute = true;
  MemoryMax = memory;
  NoNewPrivileges = true;
  PrivateDevices = true;
  PrivateMounts = true;
  PrivateTmp = true;
  # Its rights are good for files only, and mean nothing to the rest of the system.
  PrivateUsers = users;
  ProcSubset = "pid";
  ProtectClock = true;
  ProtectControlGroups = true;
  ProtectHome = true;
  ProtectHostname = true;
  ProtectKernelLogs = true;
  ProtectKernelModules = true;
  ProtectKernelTunables = true;
  ProtectProc = "invisible";
  ProtectSystem = "strict";
  RemoveIPC = true;
  RestrictAddressFamilies = [
    "AF_INET"
    "AF_INET6"
  ];
  RestrictNamespaces = true;
  RestrictRealtime = true;
  RestrictSUIDSGID = true;
  SystemCallArchitectures = "native";
  SystemCallFilter = [
    "@system-service"
    "~@privileged @resources"
    "@chown"
  ];
  UMask = "0077";
}

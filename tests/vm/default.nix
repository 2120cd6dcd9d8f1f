# The scenarios as NixOS tests: each file of tests/scenarios on virtual machines of its own. Not in
# containers: a scenario cuts power and network, and the sandboxes of our units are a part of it.
{
  lib,
  pkgs,
}:
let
  inherit (lib) fileset;
  scenarios = ../scenarios;

  # The fleet that create-host works on, and the resources of a cluster.
  source = fileset.toSource {
    root = ../..;
    fileset = fileset.unions [
      ../../example
      ../../kubernetes
    ];
  };

  library = lib.filter (lib.hasSuffix ".py") (lib.filesystem.listFilesRecursive (scenarios + "/lib"));
  scripts = scenario: [ ./machines.py ] ++ library ++ [ (scenarios + "/${scenario}.py") ];
  seeded = lib.importJSON (scenarios + "/seeded.json");

  # web01.next.nix is what web01 can be switched to. A machine has those that its scenario names:
  # each is a whole system to evaluate, and all of them together took 20 GB of memory.
  generations =
    scenario: name:
    let
      script = builtins.readFile (scenarios + "/${scenario}.py");
      files = lib.attrNames (builtins.readDir ../nodes);
      generation = file: builtins.match "${name}\\.([^.]+)\\.nix" file;
      others = lib.concatLists (lib.filter (found: found != null) (map generation files));
    in
    lib.filter (other: lib.hasInfix "\"${other}\"" script) others;

  machine = scenario: name: {
    imports = [
      ../../nixos-modules
      ../../nixos-modules/server
      (../nodes + "/${name}.nix")
    ]
    ++ lib.optional (lib.elem name seeded) ./cloud-init.nix;

    specialisation = lib.genAttrs (generations scenario name) (generation: {
      configuration.imports = [ (../nodes + "/${name}.${generation}.nix") ];
    });

    # Some machines are configured to be warned about; tests/modules has the messages.
    warnings = lib.mkForce [ ];

    virtualisation.memorySize = if name == "openbao" || name == "kube" then 2048 else 1024;
  };
in
lib.mapAttrs' (
  scenario: machines:
  lib.nameValuePair "scenario-${scenario}" (
    pkgs.testers.runNixOSTest {
      name = scenario;
      nodes = lib.genAttrs machines (machine scenario);
      # In one set of names, as tests/guest does; a traceback then names the file.
      testScript = ''
        source_directory = "${source}"
        for script in "${lib.concatMapStringsSep " " (script: "${script}") (scripts scenario)}".split():
            with open(script) as file:
                exec(compile(file.read(), script, "exec"), globals())
      '';
    }
  )
) (lib.importJSON (scenarios + "/nodes.json"))

# Texts in the Nix store, without a store: an evaluation that builds nothing cannot read
# /nix/store/<hash>-NAME. So packages that are a text carry it in their path while NixOS composes
# its units, and it is taken out of the units again.
#
# The units keep `/nix/store/NAME` for a package, without hash and version, so that another release
# of it changes nothing here; `/nix/store/<8 digits of the text's SHA-256>-NAME` for a text, so that
# another text makes another unit, as on NixOS.
{ lib }:
let
  inherit (builtins) hashString substring toJSON;
  inherit (lib)
    concatStrings
    head
    splitString
    tail
    ;

  # The characters that shells and systemd would quote or expand. (Others than ASCII stay: they may
  # get the path quoted, which means the same.)
  special = lib.stringToCharacters " !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~\n\r\t";
  code =
    character: "_" + lib.fixedWidthString 2 "0" (lib.toHexString (lib.strings.charToInt character));
  codes = map code special;
  pack = value: lib.replaceStrings special codes (toJSON value);
  unpack =
    packed:
    builtins.fromJSON (builtins.unsafeDiscardStringContext (lib.replaceStrings codes special packed));

  # A package that is a text, with the text in its path; the text is in its file `destination`.
  carry =
    destination: package:
    let
      carrier = package // {
        outPath = "/nix/store/@${
          pack {
            inherit destination;
            inherit (package) name text;
            executable = package ? executable && package.executable;
          }
        }@${storeName package.name package.text}";
        out = carrier;
        overrideAttrs = change: carry destination (package.overrideAttrs change);
      };
    in
    carrier;

  storeName = name: text: "${substring 0 8 (hashString "sha256" (plain text))}-${name}";

  # The pieces of "…/nix/store/@<packed>@<name>…": the text before the first, packed, and the rest.
  pieces =
    text:
    let
      parts = splitString "/nix/store/@" text;
      cut =
        part:
        let
          packed = head (splitString "@" part);
        in
        {
          inherit packed;
          rest = lib.removePrefix "${packed}@" part;
        };
    in
    {
      first = head parts;
      carried = map cut (tail parts);
    };

  package = "/nix/store/[0-9a-df-np-sv-z]{32}-([-+._?=0-9a-zA-Z]+)";
  # `openssl-3.5.1-bin` and the stub `openssl-bin` of an evaluator without packages are one.
  bare =
    name:
    lib.foldl' (rest: suffix: lib.removeSuffix suffix rest) (builtins.parseDrvName name).name [
      "-bin"
      "-dev"
      "-interactive"
    ];

  # The text as it is written down.
  plain =
    text:
    let
      inherit (pieces text) first carried;
      uncarried = first + concatStrings (map (piece: "/nix/store/${piece.rest}") carried);
      named = map (part: if builtins.isList part then "/nix/store/${bare (head part)}" else part) (
        builtins.split package uncarried
      );
    in
    builtins.unsafeDiscardStringContext (concatStrings named);

  # The store's texts that a text names, and those that they name.
  files =
    text:
    lib.mergeAttrsList (
      map (
        piece:
        let
          file = unpack piece.packed;
        in
        {
          "${storeName file.name file.text}${file.destination}" = {
            text = plain file.text;
            inherit (file) executable;
          };
        }
        // files file.text
      ) (pieces text).carried
    );

  # The packages that a plain text names.
  packages =
    text: map head (lib.filter builtins.isList (builtins.split "/nix/store/([-+._?=0-9a-zA-Z]+)" text));

  ofOne =
    destination: make: argument:
    carry (destination argument) (make argument);
  ofTwo =
    destination: make: name: text:
    carry (destination name) (make name text);
  inFile = _: "";
  inBin = name: "/bin/${name}";

  # The format with which services.openbao writes its settings: a derivation that only a build would
  # fill.
  json =
    pkgs: arguments:
    pkgs.formats.json arguments
    // {
      generate = name: value: ofTwo inFile pkgs.writeText name (builtins.toJSON value);
    };
in
{
  inherit files packages plain;

  # nixpkgs whose texts can be found again.
  traced =
    pkgs:
    pkgs
    // {
      formats = pkgs.formats // {
        json = json pkgs;
      };
    }
    // lib.mapAttrs (name: trace: trace pkgs.${name}) {
      writeTextFile = ofOne (file: file.destination or "");
      writeShellApplication = ofOne (program: inBin program.name);
      writeText = ofTwo inFile;
      writeTextDir = ofTwo (path: "/${path}");
      writeScript = ofTwo inFile;
      writeScriptBin = ofTwo inBin;
      writeShellScript = ofTwo inFile;
      writeShellScriptBin = ofTwo inBin;
    };
}

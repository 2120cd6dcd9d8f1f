# The placeholders of templates over several secrets, as vault-secrets parses them: `{{ db.password
# }}`, `{{ db.password | json }}`, and `{{ "{{" }}` for text.
{ lib }:
let
  # A string of JSON, or a name.
  string = "\"([^\"\\\\\n]|\\\\[\"\\\\/bfnrt]|\\\\u[0-9a-fA-F]{4})*\"";
  pattern = "\\{\\{[ \t]*(${string}[ \t]*|[^\"{}\n][^{}\n]*)}}";
  parts = builtins.split pattern;
  trim = text: lib.head (builtins.match "[ \t]*((.*[^ \t])?)[ \t]*" text);

  # A key and its filter, from the text between the braces.
  parse =
    inner:
    let
      split = builtins.match "([^|]*)(\\|(.*))?" inner;
      filter = lib.elemAt split 2;
    in
    {
      placeholder = trim (lib.head split);
      filter = lib.mapNullable trim filter;
    };

  # Both names and keys may have dots: the longest name counts.
  secretOf =
    names: placeholder:
    let
      fitting = lib.filter (
        name: lib.hasPrefix "${name}." placeholder && placeholder != "${name}."
      ) names;
      longest = lib.sort (one: other: lib.stringLength one > lib.stringLength other) fitting;
    in
    if fitting == [ ] then null else lib.head longest;
in
{
  # Each placeholder of a text once, where `names` are those of the declared secrets: the secret,
  # which is null where there is none, the key and the filter.
  of =
    names: text:
    let
      inner = lib.concatMap (part: lib.optional (lib.isList part) (lib.head part)) (parts text);
      named = lib.filter (text: !lib.hasPrefix "\"" text) inner;
    in
    map (
      parsed:
      let
        secret = secretOf names parsed.placeholder;
      in
      parsed
      // {
        inherit secret;
        key = if secret == null then null else lib.removePrefix "${secret}." parsed.placeholder;
      }
    ) (lib.unique (map parse named));

  # Returns whether all braces of a text are placeholders, also for vault-secrets, which looks for
  # the first `{{`: of three braces it takes the first two.
  isWhole =
    text:
    let
      texts = lib.filter lib.isString (parts text);
    in
    !lib.any (lib.hasInfix "{{") texts && !lib.any (lib.hasSuffix "{") (lib.init texts);
}

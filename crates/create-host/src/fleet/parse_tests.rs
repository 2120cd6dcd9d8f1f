//! Tests of the parser of `fleet.toml`.

use insta::assert_snapshot;

use super::{super::checked::Checked, *};

fn render_failure(text: &str) -> String {
    let failure = parse_settings(text).expect_err("the text is wrong");
    assert_eq!(failure.status(), zts_cli::Status::Usage);
    match failure.hint_text() {
        Some(hint) => format!("{}\nhint: {hint}", failure.message()),
        None => failure.message().to_owned(),
    }
}

#[test]
fn an_empty_file_means_the_defaults() {
    let settings = parse_settings("").unwrap();
    assert_eq!(settings.openbao.wrap_ttl.duration().as_secs(), 86_400);
    assert_eq!(settings.paths.vms.as_str(), "terraform/vms.tf");
    assert!(!settings.openbao.bind_cidr);
}

#[test]
fn missing_keys_have_their_default() {
    let settings = parse_settings("[openbao]\r\nkv_mount = \"teams/kv\"\r\n").unwrap();
    assert_eq!(settings.openbao.kv_mount.as_str(), "teams/kv");
    assert_eq!(settings.openbao.approle_mount.as_str(), "approle");
}

#[test]
fn tables_may_be_inline_or_dotted() {
    let settings =
        parse_settings("openbao = { wrap_ttl = \"90m\" }\nnetwork.gateway = \"fd00::1\"").unwrap();
    assert_eq!(settings.openbao.wrap_ttl.duration().as_secs(), 5_400);
    assert_eq!(settings.network.gateway.as_str(), "fd00::1");
}

/// Returns the text with the settings that are comments (`#key = …`, without a space).
fn uncomment_settings(text: &str) -> String {
    let lines = text.lines().map(|line| match line.strip_prefix('#') {
        Some(setting) if !setting.is_empty() && !setting.starts_with(' ') => setting,
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn assert_names_every_key(table: &dyn TableLike, keys: &dyn TableLike, section: &str) {
    for (name, expected) in keys.iter() {
        let found = match name {
            ANY_NAME => table.iter().next().map(|(_, item)| item),
            _ => table.get(name),
        };
        let found = found.unwrap_or_else(|| panic!("{section}.{name}"));
        if let (Some(table), Some(keys)) = (found.as_table_like(), expected.as_table_like()) {
            assert_names_every_key(table, keys, &format!("{section}.{name}"));
        }
    }
}

#[test]
fn the_example_of_this_repository_is_valid_and_names_every_key() {
    let text = include_str!("../../../../example/fleet.toml");
    parse_settings(text).unwrap();
    let text = uncomment_settings(text);
    parse_settings(&text).unwrap();
    let keys = ser::to_document(&Settings::with_all_keys()).unwrap();
    let document = Document::parse(&text).unwrap();
    assert_names_every_key(document.as_table(), keys.as_table(), "");
}

#[test]
fn sections_with_chosen_names_are_parsed() {
    let settings = parse_settings(
        "[host_types.vps]\nvms = \"\"\n[environments.prod]\nnamespace = \"teams/a\"\n\
         [hosts.\"web01.example.org\"]\ngrants = [\"shared/wifi\", \"teams/media/*\"]\n\
         [groups.media]\nhosts = [\"web01\"]",
    )
    .unwrap();
    let vps = settings.host_types.values().next().unwrap();
    assert_eq!(vps.vms.as_ref().map(Checked::as_str), Some(""));
    assert!(vps.template.is_none());
    let host = settings.hosts.values().next().unwrap();
    assert_eq!(host.grants[1].as_str(), "teams/media/*");
}

#[test]
fn sections_with_chosen_names_are_checked() {
    assert_snapshot!(render_failure("[host_types.vps]\ntemplat = \"x\""), @r"
    `fleet.toml`, line 2: `host_types.vps.templat` is not a setting
    hint: did you mean `template`? allowed here are `template`, `flake_entry`, `vm_entry`, `vms`, `vms_map`, `gateway`, `nameservers`, `domain`, `system`
    ");
    assert_snapshot!(render_failure("[environments.prod]\nwrap_ttl = 3"), @r#"
    `fleet.toml`, line 2: `environments.prod.wrap_ttl` is a number, not a string
    hint: write it like `wrap_ttl = "24h"`
    "#);
    assert_snapshot!(render_failure("[environments]\nprod = 3"), @r"
    `fleet.toml`, line 2: `environments.prod` is a number, not a table
    hint: write it like `[environments.prod]`
    ");
    assert_snapshot!(render_failure("\n[host_types.Vps]"), @r"
    `fleet.toml`, line 2: `Vps` cannot be the name of a section
    hint: allowed are lower-case letters, digits and hyphens, such as `vps`
    ");
    assert_snapshot!(render_failure("[host_types.vps]\nsystem = \"arm\""), @r"
    `fleet.toml`, line 2: `arm` is not a system of Nix
    hint: write it like `x86_64-linux` or `aarch64-linux`
    ");
    assert_snapshot!(render_failure("[hosts.Web01]\ngrants = []"), @r"
    `fleet.toml`, line 1: `Web01` cannot be the name of a host: it has upper-case letters
    hint: write `web01`
    ");
    assert_snapshot!(render_failure("[hosts.web01]\ngrants = [\"../x\"]"), @r"
    `fleet.toml`, line 2: `../x` is not the path of a secret
    hint: write it below the mount, like `shared/wifi`, or `teams/media/*` for all below a folder
    ");
    assert_snapshot!(render_failure("[groups.all]\ngrants = [\"hosts/*\"]"), @r"
    `fleet.toml`, line 2: `hosts/*` has the secrets of every host, which no host may read
    hint: write it below the mount, like `shared/wifi`, or `teams/media/*` for all below a folder
    ");
    assert_snapshot!(render_failure("[groups.all]\ngrants = [\"shared/+\"]"), @r"
    `fleet.toml`, line 2: `shared/+` has a `+`, which matches any name, also that of a host
    hint: name each path
    ");
    assert_snapshot!(render_failure("[hosts.web01]\ngrants = [\"data/shared/wifi\"]"), @r"
    `fleet.toml`, line 2: `data/shared/wifi` begins with `data`, which is a part of the API's path
    hint: write the secret's own path: `shared/wifi`
    ");
    assert_snapshot!(render_failure("[hosts.web01]\ngrants = [\n  \"a\",\n  \"secret/data/shared/*\",\n]"), @r"
    `fleet.toml`, line 4: `secret/data/shared/*` begins with the KV mount `secret`
    hint: grants are below the mount: write `shared/*`
    ");
    assert_snapshot!(render_failure("[hosts.web01.example]\ngrants = [\"x\"]"), @r"
    `fleet.toml`, line 1: `hosts.web01.example` is not a setting
    hint: allowed here are `grants`, `policies`
    ");
    assert_snapshot!(render_failure("[hosts.web01]\npolicies = [\"root\"]"), @r"
    `fleet.toml`, line 2: `root` is not the name of a policy for hosts
    hint: allowed are lower-case letters, digits, `-`, `_`, `.` and `/`, but not `root`
    ");
    assert_snapshot!(render_failure("[groups.media]\nhosts = [\"web 1\"]"), @r"
    `fleet.toml`, line 2: `web 1` cannot be the name of a host: it has a character that is not allowed in a host name
    hint: use lower-case letters, digits and hyphens, such as `web01` or `web01.example.org`
    ");
    assert_snapshot!(render_failure("[environments.prod]\nnamespace = \"/a\""), @r"
    `fleet.toml`, line 2: `/a` is not the path of a namespace
    hint: allowed are ASCII letters, digits, `-`, `_` and `.`, and single `/` between the parts
    ");
    assert_snapshot!(render_failure("[paths]\ndefault_host_type = \"vps\""), @r"
    `fleet.toml`, line 2: `paths.default_host_type` is not a setting
    hint: write `default_host_type` at the top, before the first `[section]`
    ");
}

#[test]
fn an_unknown_key_is_refused_with_its_line_and_the_allowed_keys() {
    assert_snapshot!(render_failure("[openbao]\nadress = \"x\""), @r"
    `fleet.toml`, line 2: `openbao.adress` is not a setting
    hint: did you mean `address`? allowed here are `address`, `namespace`, `kv_mount`, `approle_mount`, `wrap_ttl`, `bind_cidr`
    ");
    assert_snapshot!(render_failure("# fleet\n\n[vault]\n"), @r"
    `fleet.toml`, line 3: `vault` is not a setting
    hint: allowed here are `default_host_type`, `default_environment`, `openbao`, `network`, `paths`, `text`, `host_types`, `environments`, `hosts`, `groups`
    ");
    assert_snapshot!(render_failure("zebra = 1"), @r"
    `fleet.toml`, line 1: `zebra` is not a setting
    hint: allowed here are `default_host_type`, `default_environment`, `openbao`, `network`, `paths`, `text`, `host_types`, `environments`, `hosts`, `groups`
    ");
}

#[test]
fn a_wrong_type_is_refused_with_an_example() {
    assert_snapshot!(render_failure("[openbao]\nbind_cidr = \"yes\""), @r"
    `fleet.toml`, line 2: `openbao.bind_cidr` is a string, not a boolean
    hint: write it like `bind_cidr = false`
    ");
    assert_snapshot!(render_failure("[network]\nnameservers = \"10.0.0.1\""), @r#"
    `fleet.toml`, line 2: `network.nameservers` is a string, not a list
    hint: write it like `nameservers = ["10.0.0.1"]`
    "#);
    assert_snapshot!(render_failure("openbao = 3"), @r"
    `fleet.toml`, line 1: `openbao` is a number, not a table
    hint: write it like `[openbao]`
    ");
    assert_snapshot!(render_failure("[network]\nnameservers = [10]"), @r#"
    `fleet.toml`, line 2: `network.nameservers` has an element of type integer, not only strings
    hint: write it like `nameservers = ["10.0.0.1"]`
    "#);
}

#[test]
fn an_invalid_value_is_refused_with_its_line_and_the_allowed_values() {
    assert_snapshot!(render_failure("[openbao]\naddress = \"10.0.0.5\""), @r"
    `fleet.toml`, line 2: `10.0.0.5` is not the address of an OpenBao server: `http://` or `https://` is missing
    hint: write it like `https://10.0.0.5:8200`
    ");
    assert_snapshot!(render_failure("[openbao]\nkv_mount = \"/secret\""), @r"
    `fleet.toml`, line 2: `/secret` is not the path of a mount
    hint: allowed are ASCII letters, digits, `-`, `_` and `.`, and single `/` between the parts
    ");
    assert_snapshot!(render_failure("[openbao]\n\nwrap_ttl = \"1 fortnight\""), @r"
    `fleet.toml`, line 3: `1 fortnight` is not a time between one second and ten years
    hint: write a number with `s`, `m` or `h`, such as `24h`
    ");
    assert_snapshot!(render_failure("[openbao]\nwrap_ttl = \"300y\""), @r"
    `fleet.toml`, line 2: `300y` is not a time between one second and ten years
    hint: write a number with `s`, `m` or `h`, such as `24h`
    ");
    assert_snapshot!(render_failure("[openbao]\nwrap_ttl = \"0s\""), @r"
    `fleet.toml`, line 2: `0s` is not a time between one second and ten years
    hint: write a number with `s`, `m` or `h`, such as `24h`
    ");
    assert_snapshot!(render_failure("[network]\ngateway = \"10.0.0.1/24\""), @r"
    `fleet.toml`, line 2: `10.0.0.1/24` is not an IP address
    hint: write it like `10.0.0.1` or `fd00::1`, without a prefix length
    ");
    assert_snapshot!(render_failure("[network]\nnameservers = [\n  \"10.0.0.1\",\n  \"dns\",\n]"), @r"
    `fleet.toml`, line 2: `dns` is not an IP address
    hint: write it like `10.0.0.1` or `fd00::1`, without a prefix length
    ");
    assert_snapshot!(render_failure("[network]\ndomain = \"Example Internal\""), @r"
    `fleet.toml`, line 2: `Example Internal` is not a domain
    hint: allowed are lower-case letters, digits and hyphens, separated by dots, such as `example.internal`
    ");
    assert_snapshot!(render_failure("[paths]\nvms = \"../vms.tf\""), @r"
    `fleet.toml`, line 2: `../vms.tf` is not a path inside the fleet
    hint: write a path relative to `fleet.toml`, without `.` and `..`
    ");
    assert_snapshot!(render_failure("[text]\nflake_entry = '''\nmkHost \"{host_name}\"'''"), @r"
    `fleet.toml`, line 2: `{host_name}` is not a placeholder, did you mean `{hostname}`?
    hint: allowed are `{hostname}`, `{ip}`, `{address}`, `{prefix_length}`, `{gateway}`, `{domain}`, `{namespace}`, `{openbao_address}`, `{nameservers}`, `{system}`, `{environment}`
    ");
}

#[test]
fn invalid_toml_is_refused_with_its_line() {
    assert_snapshot!(render_failure("[openbao]\naddress = \n"), @"`fleet.toml`, line 2: not valid TOML: string values must be quoted, expected literal string");
    assert_snapshot!(render_failure("[openbao]\nkv_mount = \"a\"\nkv_mount = \"b\""), @"`fleet.toml`, line 3: not valid TOML: duplicate key");
}

proptest::proptest! {
    /// Any text is parsed or refused, without a panic.
    #[test]
    fn any_text(
        lines in proptest::collection::vec("(\\[(openbao|network|paths|text|(host_types|environments|hosts|groups)\\.[a-zA-Z.]{0,5}|a)\\]|[a-z_.]{0,12} = [0-9\"\\[{}\\],'ü.:/-]{0,20}|\\PC{0,20})", 0..12),
        depth in 0..5000_usize,
    ) {
        let _ = parse_settings(&lines.join("\n"));
        let _ = parse_settings(&format!("{}\na = {}", lines.join("\n"), "[".repeat(depth)));
    }
}

//! x
use infra_edit::*;
#[test]
fn first() {
    let s = "{\n  outputs = { self, nixpkgs }: {\n    nixosConfigurations = {\n      a = mkHost \"a\";\n      # c\n      c = mkHost \"c\"; # x\n    };\n  };\n}\n";
    let t = nix::add_configuration(s, "b", "mkHost \"b\" {\n  x = 1;\n}").unwrap();
    println!("{t}");
    assert_eq!(nix::remove_configuration(&t, "b").unwrap(), s);
    let s = "locals {\n  vms = {\n    \"a\" = { ip = \"1\" }\n  }\n}\n";
    let t = vms::add(s, "b", "ip = \"1\"\nx = <<E\n foo\nE\n").unwrap();
    println!("{t}");
    assert_eq!(vms::remove(&t, "b").unwrap(), s);
    println!("{}", vms::set_wrapping_token(&t, "b", "hvs.1").unwrap());
    println!("{}", vms::set_wrapping_token(&t, "a", "hvs.1").unwrap());
    let h = generated::GeneratedHost {
        name: "web01".into(),
        paths: [
            (
                "secret/data/hosts/web01/*".to_owned(),
                ["read".to_owned(), "list".to_owned()].into(),
            ),
            (
                "secret/metadata/hosts/web01/*".to_owned(),
                ["read".to_owned()].into(),
            ),
        ]
        .into(),
        bound_cidrs: ["10.0.0.1/32".to_owned()].into(),
    };
    let r = generated::render(std::slice::from_ref(&h));
    println!("{r}");
    assert_eq!(generated::parse(&r).unwrap(), [h]);
}

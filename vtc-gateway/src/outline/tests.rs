use std::io::Write;

use tempfile::NamedTempFile;

use super::*;

fn outline(toml: &str) -> anyhow::Result<Outline> {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(toml.as_bytes()).unwrap();
    Outline::of(&ServeArgs { config: Some(file.path().to_owned()), ..ServeArgs::default() })
}

const POD: &str = "[[pods]]\nname = \"a\"\nurl = \"http://10.0.0.1:8000\"\n";
const HASH: &str = "57fcf72d7b3693f562ccebb3dc0e5164ee1d84381b0842c060e6959e0f772cbf";

#[test]
fn each_part_has_a_line_and_no_hash_is_shown() {
    let toml = format!(
        "listen = \"127.0.0.1:1\"\n{POD}[queue]\ndiscipline = \"vtc-fair\"\npod_max_running = 32\n\
         [[tenants]]\nname = \"alice\"\nweight = 2.5\nkey_sha256 = {HASH:?}\nmodels = [\"m\"]\n\
         requests_per_minute = 60\n[tenant_defaults]\nmax_in_flight = 3\n[models.aliases]\nsmall = \"m\"\n\
         [[discovery.dns]]\nname = \"vllm\"\nport = 8000\n"
    );
    let outline = outline(&toml).unwrap();
    let text = outline.to_string();
    for part in [
        "listen    127.0.0.1:1, a worker per core, 30s for streams to end\n",
        "pods      a at http://10.0.0.1:8000\n",
        "pods      of each address of vllm:8000, every 5s\n",
        "queue     vtc-fair, at most 10000 requests of 268435456 bytes together, 1000 of one user, for at most 60s; \
         at most 32 requests run on a pod\n",
        "identity  1 key, needed\n",
        "tenant    alice: 1 key, weight 2.5, only m, 3 requests in flight, 60 requests a minute\n",
        "others    weight 1, 3 requests in flight\n",
        "admin     no key: whoever reaches the gateway may look, nobody may change\n",
        "alias     small is m\n",
        "policy    vtc-basic\n",
    ] {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
    assert!(!text.contains(HASH));
    assert_eq!(outline.warnings, []);
}

#[test]
fn what_is_probably_not_meant_is_said() {
    let keyed = format!("[[tenants]]\nname = \"alice\"\nkey_sha256 = {HASH:?}\n");
    let open = "listen = \"0.0.0.0:1\"\n";
    let fair = "[queue]\ndiscipline = \"vtc-fair\"\n";
    for (toml, warned) in [
        ("[identity]\ntrusted_networks = [\"::/0\"]\n".to_owned(), &["identity.trusted_networks"][..]),
        ("[identity]\ntrusted_proxies = [\"0.0.0.0/0\"]\n".into(), &["identity.trusted_proxies"]),
        (format!("{keyed}[identity]\nrequire_key = false\n"), &["identity.require_key"]),
        (open.into(), &["listen: 0.0.0.0:1 is open", "admin.key_sha256"]),
        (format!("{open}{keyed}"), &["listen: keys come to 0.0.0.0:1 in clear", "admin.key_sha256"]),
        (format!("{open}{keyed}[admin]\nkey_sha256 = {HASH:?}\n"), &["listen: keys"]),
        ("[queue]\npod_max_running = 8\n".into(), &["queue.discipline"]),
        (format!("{fair}pod_max_running = 513\n"), &["queue.pod_max_running: 513"]),
        (format!("{fair}pod_max_running = 512\nmax_bytes = 1\n"), &["queue.max_bytes"]),
        (format!("{fair}pod_max_running = 1\nmax_per_user = 10000\n"), &["queue.max_per_user"]),
        (
            format!("{keyed}[[tenants]]\nname = \"bob\"\n[[tenants]]\nname = \"@anonymous\"\nweight = 2\n"),
            &[
                "nobody can be \"@anonymous\": everybody",
                "weight of tenant @anonymous",
                "nobody can be \"bob\": it has",
            ],
        ),
        ("[upstream]\nrequest_timeout = \"1s\"\n".into(), &["upstream.first_byte", "upstream.idle"]),
        (String::new(), &[]),
    ] {
        // What stands before the first table comes first.
        let (top, tables) =
            if toml.starts_with("listen") { toml.split_once('\n').unwrap() } else { ("", &*toml) };
        let warnings = outline(&format!("{top}\n{POD}{tables}")).unwrap().warnings;
        let fits = warnings.len() == warned.len();
        let fits = fits && warnings.iter().zip(warned).all(|(warning, part)| warning.text.contains(part));
        assert!(fits, "{toml}\n{warnings:#?}");
    }
}

#[test]
fn a_file_of_pods_that_is_broken_is_no_less_wrong() {
    let mut pods = NamedTempFile::new().unwrap();
    let toml = format!("[discovery]\nfile = {:?}", pods.path());
    assert!(outline(&toml).unwrap().to_string().contains("pods      0 now in "));
    pods.write_all(POD.as_bytes()).unwrap();
    assert!(outline(&toml).unwrap().to_string().contains("pods      1 now in "));
    pods.write_all(POD.as_bytes()).unwrap();
    let error = format!("{:#}", outline(&toml).unwrap_err());
    assert!(error.contains("the file of pods") && error.contains("each pod a name of its own"), "{error}");
}

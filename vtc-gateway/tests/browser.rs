//! The dashboard in a real browser, before the real binary: `tests/browser/setup.sh` installs what it needs, and without it
//! this fails. Screenshots are left in `target/browser/pictures`.

use std::path::Path;
use std::process::Command;

#[test]
fn the_dashboard_shows_what_goes_on() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let place = package.parent().expect("it is in a workspace").join("target/browser");
    assert!(
        place.join("installed.json").exists(),
        "run vtc-gateway/tests/browser/setup.sh: it installs the browser and what drives it"
    );
    let checked = Command::new("node")
        .arg(package.join("tests/browser/check.mjs"))
        .arg(env!("CARGO_BIN_EXE_vtc-gateway"))
        .arg(&place)
        .arg(place.join("pictures"))
        .output()
        .expect("node runs");
    let told = String::from_utf8_lossy(&checked.stdout);
    let error = String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success(), "{told}\n{error}");
    println!("{told}");
}

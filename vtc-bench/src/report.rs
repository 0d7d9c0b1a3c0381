//! Runs as pictures and as one page.
//!
//! A picture is plain data, [`Plot`], and becomes the text of an SVG file: text stays text, fonts are the reader's, and the
//! same data give the same bytes. A [`Report`] draws what there is to see of one or more runs, and puts it into a page
//! that needs no other file.
//!
//! Lines differ in colour, in brightness and in their marks, so they can be told apart by everybody and on grey
//! paper. The colours are those of Okabe and Ito, *Color Universal Design*, 2008.
//!
//! ```
//! use vtc_sim::measure::{Recorder, Setting};
//! use vtc_bench::report::Report;
//!
//! let run = Recorder::new(Setting::new(600.0)?).finish();
//! let folder = tempfile::tempdir()?;
//! let page = Report::new("overload").with_note("simulate --workload overload").with_run("fcfs", &run).write(folder.path())?;
//! assert!(page.ends_with("report.html"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod canvas;
mod look;
mod page;
mod pictures;
mod plot;
mod scale;

use std::path::{Path, PathBuf};
use std::{fs, io};

use self::pictures::Picture;
pub use self::plot::{Axis, Kind, Level, Plot, Series};
use vtc_sim::measure::RunSummary;

/// Runs, to be written as pictures and a page.
#[derive(Clone, Debug)]
pub struct Report<'a> {
    title: String,
    notes: Vec<String>,
    runs: Vec<(String, &'a RunSummary)>,
}

// === impl Report ===

impl<'a> Report<'a> {
    /// Of no run yet.
    #[must_use]
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), notes: Vec::new(), runs: Vec::new() }
    }

    /// With one more paragraph under the title: how the runs were made, by which command.
    #[must_use]
    pub fn with_note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// With one more run under that name: that of its policy, as a rule.
    #[must_use]
    pub fn with_run(mut self, name: impl Into<String>, run: &'a RunSummary) -> Self {
        self.runs.push((name.into(), run));
        self
    }

    /// The page: tables and pictures, with nothing to load.
    #[must_use]
    pub fn html(&self) -> String {
        page::html(self, &self.pictures())
    }

    /// Writes `report.html` and each picture as an SVG file into a folder, which is made if it is not there, and says where
    /// the page is. What was there under these names is replaced.
    ///
    /// # Errors
    /// The folder or a file that cannot be written.
    pub fn write(&self, folder: impl AsRef<Path>) -> io::Result<PathBuf> {
        let folder = folder.as_ref();
        fs::create_dir_all(folder)?;
        let pictures = self.pictures();
        for Picture { name, plot, .. } in &pictures {
            fs::write(folder.join(name).with_extension("svg"), plot.svg())?;
        }
        let page = folder.join("report.html");
        fs::write(&page, page::html(self, &pictures))?;
        Ok(page)
    }

    fn pictures(&self) -> Vec<Picture> {
        pictures::of(&self.title, &self.runs)
    }
}

//! The words of the page itself, in both languages.

/// The language of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tongue {
    /// English, at the top of the site.
    English,
    /// Chinese, in the folder `zh`.
    Chinese,
}

/// Both.
pub const TONGUES: [Tongue; 2] = [Tongue::English, Tongue::Chinese];

impl Tongue {
    /// The one of the two that is in this language.
    pub fn of<'a>(self, english: &'a str, chinese: &'a str) -> &'a str {
        match self {
            Self::English => english,
            Self::Chinese => chinese,
        }
    }

    /// For the attribute `lang`.
    pub fn code(self) -> &'static str {
        self.of("en", "zh-CN")
    }

    /// The other one.
    pub fn other(self) -> Self {
        match self {
            Self::English => Self::Chinese,
            Self::Chinese => Self::English,
        }
    }

    /// The file of a README, of the glossary.
    pub fn file(self, stem: &str) -> String {
        format!("{stem}{}", self.of(".md", ".zh-CN.md"))
    }

    /// Where its pages stand in the site.
    pub fn folder(self) -> &'static str {
        self.of("", "zh/")
    }

    /// From its pages to the top of the site.
    pub fn top(self) -> &'static str {
        self.of("", "../")
    }
}

//! Tables as text (RFC 4180), safe to be opened by a spreadsheet.

use axum::{
    body::Body,
    http::{HeaderValue, Response, header},
};

/// Lines of values separated by commas.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Csv(String);

impl Csv {
    pub(crate) fn line<'a>(&mut self, values: impl IntoIterator<Item = &'a str>) {
        for (number, value) in values.into_iter().enumerate() {
            if number > 0 {
                self.0.push(',');
            }
            self.value(value);
        }
        self.0.push_str("\r\n");
    }

    /// In quotes where it has to be. A spreadsheet takes a text that begins like a formula for one: behind an apostrophe it
    /// is a text. Numbers are as they are.
    fn value(&mut self, value: &str) {
        let is_formula = value.starts_with(['=', '+', '-', '@', '\t', '\r']) && value.parse::<f64>().is_err();
        let quotes = is_formula || value.contains([',', '"', '\r', '\n']);
        if !quotes {
            return self.0.push_str(value);
        }
        self.0.push('"');
        if is_formula {
            self.0.push('\'');
        }
        self.0.push_str(&value.replace('"', "\"\""));
        self.0.push('"');
    }

    pub(crate) fn answer(self, name: &'static str) -> Response<Body> {
        let mut response = Response::new(Body::from(self.0));
        let headers = response.headers_mut();
        let kind = HeaderValue::from_static("text/csv; charset=utf-8; header=present");
        headers.insert(header::CONTENT_TYPE, kind);
        headers.insert(header::VARY, HeaderValue::from_static("Accept"));
        if let Ok(disposition) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) {
            headers.insert(header::CONTENT_DISPOSITION, disposition);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_quoted_and_formulas_are_none() {
        let mut csv = Csv::default();
        csv.line(["a", "b,c", "d\"e", "", "f\ng"]);
        csv.line(["=1+1", "+4930123456", "-2.50", "@SUM(A1)", "\t=1"]);
        let expected =
            "a,\"b,c\",\"d\"\"e\",,\"f\ng\"\r\n\"'=1+1\",+4930123456,-2.50,\"'@SUM(A1)\",\"'\t=1\"\r\n";
        assert_eq!(csv.0, expected);
    }
}

import "../styles/tokens.css";
import "../styles/base.css";
import "react-dom/client";

// In two steps: between them the browser can draw and answer, where taking in all at once would hold it up.
void import("./start");

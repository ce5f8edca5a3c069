package status

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"fmt"
	"net/http"
	"path"
	"time"
)

//go:embed assets
var assets embed.FS

// serveAssets serves the page and what it loads. A browser asks each time whether
// it has changed: with another version of the program it has.
func serveAssets(mux *http.ServeMux) {
	for pattern, name := range map[string]string{
		"GET /{$}": "page.html", "GET /page.css": "page.css", "GET /page.js": "page.js", "GET /view.js": "view.js", "GET /icon.svg": "icon.svg",
	} {
		content, err := assets.ReadFile(path.Join("assets", name))
		if err != nil {
			panic(err) // it was built in
		}
		sum := sha256.Sum256(content)
		tag := fmt.Sprintf(`"%x"`, sum[:8])
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", tag)
			w.Header().Set("Cache-Control", "no-cache")
			http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(content))
		})
	}
}

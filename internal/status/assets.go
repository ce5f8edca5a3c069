package status

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"fmt"
	"net/http"
	"time"
)

//go:embed assets
var assets embed.FS

// serveAssets serves the page and its files. A browser asks each time whether they have
// changed, as they do with another version of the program.
func serveAssets(mux *http.ServeMux) {
	files, _ := assets.ReadDir("assets") // built in, as their contents are
	for _, file := range files {
		name := file.Name()
		content, _ := assets.ReadFile("assets/" + name)
		pattern := "GET /" + name
		if name == "page.html" {
			pattern = "GET /{$}"
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

// Renders a Helm chart as `helm template` does, without Helm: reads a job from standard input, writes what became of each set
// of values to standard output, both as JSON. Debian's Go packages in GOPATH mode are all that it needs.
//
// Left out of Helm: dependencies, CRDs, hooks' order and `lookup`, which finds nothing, as with `helm template`.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig"
	"sigs.k8s.io/yaml"
)

// How deep templates may include each other, as in Helm.
const includesMax = 1000

type job struct {
	Chart   string                 `json:"chart"`
	Release map[string]interface{} `json:"release"`
	Sets    []set                  `json:"sets"`
}

type set struct {
	Name    string                 `json:"name"`
	Values  map[string]interface{} `json:"values"`
	Release map[string]interface{} `json:"release"`
}

type outcome struct {
	Files map[string]string `json:"files"`
	Error string            `json:"error"`
}

type chart struct {
	name      string
	meta      map[string]interface{}
	values    map[string]interface{}
	templates map[string]string
	files     files
}

func main() {
	var given job
	if err := json.NewDecoder(os.Stdin).Decode(&given); err != nil {
		fail(err)
	}
	loaded, err := load(given.Chart)
	if err != nil {
		fail(err)
	}
	results := map[string]outcome{}
	for _, each := range given.Sets {
		rendered, err := loaded.render(each, given.Release)
		if err != nil {
			results[each.Name] = outcome{Error: err.Error()}
		} else {
			results[each.Name] = outcome{Files: rendered}
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(results); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func load(dir string) (*chart, error) {
	result := &chart{templates: map[string]string{}, files: files{}}
	err := filepath.WalkDir(dir, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(dir, file)
		switch {
		case name == "Chart.yaml":
			return yaml.Unmarshal(data, &result.meta)
		case name == "values.yaml":
			return yaml.Unmarshal(data, &result.values)
		case strings.HasPrefix(name, "templates/"):
			result.templates[name] = string(data)
		default:
			result.files[name] = data
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	result.name, _ = result.meta["name"].(string)
	return result, nil
}

func (c *chart) render(given set, release map[string]interface{}) (map[string]string, error) {
	values := merge(copyOf(c.values), given.Values)
	meta := map[string]interface{}{}
	for key, value := range c.meta {
		meta[strings.ToUpper(key[:1])+key[1:]] = value
	}
	context := map[string]interface{}{
		"Values":  values,
		"Chart":   meta,
		"Release": merge(copyOf(release), given.Release),
		"Files":   c.files,
		"Capabilities": map[string]interface{}{
			"KubeVersion": map[string]interface{}{"Version": "v1.31.0", "Major": "1", "Minor": "31"},
			"APIVersions": apiVersions{},
		},
	}
	// An absent key is nothing, and not an error: so Helm renders without --strict.
	root := template.New("chart").Option("missingkey=zero")
	root.Funcs(functions(root))
	names := []string{}
	for name := range c.templates {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		if _, err := root.New(c.name + "/" + name).Parse(c.templates[name]); err != nil {
			return nil, err
		}
	}
	result := map[string]string{}
	for _, name := range names {
		if strings.HasPrefix(path.Base(name), "_") {
			continue
		}
		context["Template"] = map[string]interface{}{"Name": c.name + "/" + name, "BasePath": c.name + "/templates"}
		var out bytes.Buffer
		if err := root.ExecuteTemplate(&out, c.name+"/"+name, context); err != nil {
			return nil, err
		}
		result[name] = strings.ReplaceAll(out.String(), "<no value>", "")
	}
	return result, nil
}

func functions(root *template.Template) template.FuncMap {
	funcs := sprig.TxtFuncMap()
	// Helm has neither: a chart must not read the environment of whom it is rendered by.
	delete(funcs, "env")
	delete(funcs, "expandenv")
	depth := 0
	include := func(name string, data interface{}) (string, error) {
		depth++
		defer func() { depth-- }()
		if depth > includesMax {
			return "", fmt.Errorf("%s: templates include each other too deeply", name)
		}
		var out bytes.Buffer
		err := root.ExecuteTemplate(&out, name, data)
		return out.String(), err
	}
	funcs["include"] = include
	funcs["tpl"] = func(text string, data interface{}) (string, error) {
		clone, err := root.Clone()
		if err != nil {
			return "", err
		}
		parsed, err := clone.New("tpl").Parse(text)
		if err != nil {
			return "", err
		}
		var out bytes.Buffer
		err = parsed.Execute(&out, data)
		return strings.ReplaceAll(out.String(), "<no value>", ""), err
	}
	funcs["required"] = func(message string, value interface{}) (interface{}, error) {
		if value == nil || value == "" {
			return nil, errors.New(message)
		}
		return value, nil
	}
	funcs["fail"] = func(message string) (string, error) { return "", errors.New(message) }
	funcs["lookup"] = func(...string) map[string]interface{} { return map[string]interface{}{} }
	funcs["toYaml"] = func(value interface{}) string {
		text, err := yaml.Marshal(value)
		if err != nil {
			return ""
		}
		return strings.TrimSuffix(string(text), "\n")
	}
	funcs["fromYaml"] = func(text string) map[string]interface{} {
		value := map[string]interface{}{}
		if err := yaml.Unmarshal([]byte(text), &value); err != nil {
			value["Error"] = err.Error()
		}
		return value
	}
	funcs["fromYamlArray"] = func(text string) []interface{} {
		value := []interface{}{}
		if err := yaml.Unmarshal([]byte(text), &value); err != nil {
			return []interface{}{err.Error()}
		}
		return value
	}
	return funcs
}

// What .Files gives: the files of the chart that are no templates.
type files map[string][]byte

func (f files) Get(name string) string { return string(f[name]) }

func (f files) Glob(pattern string) files {
	found := files{}
	for name, data := range f {
		if matches, _ := path.Match(pattern, name); matches {
			found[name] = data
		}
	}
	return found
}

func (f files) Lines(name string) []string {
	return strings.Split(strings.TrimSuffix(string(f[name]), "\n"), "\n")
}

type apiVersions struct{}

func (apiVersions) Has(string) bool { return false }

func copyOf(value map[string]interface{}) map[string]interface{} {
	text, _ := json.Marshal(value)
	result := map[string]interface{}{}
	_ = json.Unmarshal(text, &result)
	return result
}

// merge lays values over others as Helm does: maps are merged, null takes a key away, all else replaces.
func merge(under, over map[string]interface{}) map[string]interface{} {
	for key, value := range over {
		inner, isMap := value.(map[string]interface{})
		below, wasMap := under[key].(map[string]interface{})
		switch {
		case value == nil:
			delete(under, key)
		case isMap && wasMap:
			under[key] = merge(below, inner)
		default:
			under[key] = value
		}
	}
	return under
}

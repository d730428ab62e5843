// Copyright (c) 2026, dkp.airgap contributors
// GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Kube is kube-apiserver, and kubectl where it is called by that name or with that name as its first argument.
//
// The two are one program because they share most of their packages: linking costs minutes, and so it is paid once.
package main

import (
	"os"
	"path/filepath"

	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/util"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
)

const clientName = "kubectl"

func main() {
	if len(os.Args) > 1 && os.Args[1] == clientName {
		os.Args = os.Args[1:]
	}
	if filepath.Base(os.Args[0]) != clientName {
		os.Exit(cli.Run(app.NewAPIServerCommand()))
	}
	if err := cli.RunNoErrOutput(kubectl.NewDefaultKubectlCommand()); err != nil {
		util.CheckErr(err)
	}
}
